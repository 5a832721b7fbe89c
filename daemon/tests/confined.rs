//! What a confined process can still do. There is no way back from it, so that the test starts itself again as a process of its
//! own, which does as the daemon does and says how each attempt went. Hence no test harness here.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, reason = "a test says what failed by panicking")
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    if is_listing("a_confined_process_does_what_it_must_and_nothing_else") {
        return;
    }
    match std::env::var_os("VALETKEY_TEST_CONFINED") {
        Some(folder) => child::confine_and_try(std::path::Path::new(&folder)),
        None => parent::check(),
    }
}

/// Tells a test runner that asks which tests there are of this one; a program without a harness must do so itself.
#[cfg(target_os = "linux")]
fn is_listing(name: &str) -> bool {
    let asks = |option| std::env::args().any(|argument| argument == option);
    if asks("--list") && !asks("--ignored") {
        println!("{name}: test");
    }
    asks("--list")
}

#[cfg(target_os = "linux")]
mod parent {
    use std::collections::BTreeMap;
    use std::process::Command;

    /// `+` what has to go on, `-` what is refused by Landlock, `!` by seccomp.
    const EXPECTED: &[(&str, char)] = &[
        ("stay out of dumps", '+'),
        ("write in its folder", '+'),
        ("replace in its folder", '+'),
        ("read elsewhere", '+'),
        ("unlink the socket", '+'),
        ("start a thread", '+'),
        ("listen on loopback", '+'),
        ("resolve a name", '+'),
        ("see who calls", '+'),
        ("ask by the program that was named", '+'),
        ("write elsewhere", '-'),
        ("truncate elsewhere", '-'),
        ("move out of its folder", '-'),
        ("write beside the socket", '-'),
        ("write elsewhere from a thread", '-'),
        ("see who calls by itself", '-'),
        ("signal its parent", '-'),
        ("name another program", '!'),
        ("start a program", '!'),
        ("ptrace", '!'),
        ("process_vm_readv", '!'),
        ("mount", '!'),
        ("unshare", '!'),
        ("clone a user namespace", '!'),
        ("bpf", '!'),
        ("keyctl", '!'),
        ("io_uring_setup", '!'),
        ("perf_event_open", '!'),
        ("userfaultfd", '!'),
        ("memfd_create", '!'),
        ("kexec_load", '!'),
        ("reboot", '!'),
        ("swapon", '!'),
        ("init_module", '!'),
        ("personality", '!'),
        ("a packet socket", '!'),
        ("map memory to write and execute", '!'),
        ("make memory executable", '!'),
        ("type into a terminal", '!'),
        #[cfg(target_arch = "x86_64")]
        ("a call by its x32 number", '!'),
    ];

    pub(crate) fn check() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state", "run", "other"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["other/precious", "run/broker.sock"] {
            std::fs::File::create(folder.path().join(name)).unwrap();
        }
        let program = std::env::current_exe().unwrap();
        // Its lookout has the same output: that the output ends says that the lookout does.
        let output = Command::new(program).env("VALETKEY_TEST_CONFINED", folder.path()).output();
        let output = output.unwrap();
        let (said, why) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{said}{why}");
        let told: BTreeMap<_, _> = said.lines().filter_map(|line| line.split_once(": ")).collect();
        let has_landlock = told.get("landlock") != Some(&"None");
        if !has_landlock {
            println!("NOT CHECKED: this kernel has no Landlock, so that nothing is refused by it");
        }
        for (what, how) in EXPECTED {
            let expected = match how {
                '-' if !has_landlock => continue,
                // Older kernels know of no scope for signals (6.12) and of no truncation (6.2).
                '-' if told["landlock"] == "Part"
                    && ["signal its parent", "truncate elsewhere"].contains(what) =>
                {
                    continue;
                }
                '+' => "well",
                '-' => "refused",
                _ => "Operation not permitted (os error 1)",
            };
            let told = told.get(what).unwrap_or_else(|| panic!("nothing of {what}: {said}{why}"));
            let holds = match how {
                '-' => told.contains("os error 13") || told.contains("os error 1)"),
                _ => *told == expected,
            };
            assert!(holds, "{what}: {told}, and not: {expected}");
        }
    }
}

#[cfg(target_os = "linux")]
mod child {
    use std::fs::{self, File};
    use std::io::{self, Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, ToSocketAddrs as _};
    use std::path::Path;
    use std::process::Command;

    use valetkeyd::hardening::{self, Confinement, Lookout};

    pub(crate) fn confine_and_try(folder: &Path) {
        hardening::apply();
        let lookout = hardening::post_lookout().unwrap();
        let (state, run) = (folder.join("state"), folder.join("run"));
        let confined = hardening::confine(
            &lookout,
            Confinement {
                written: &[&state],
                cleared: &[&run],
                prompt: Some(Path::new("/bin/cat")),
            },
        );
        println!("landlock: {:?}", confined.files);
        assert!(confined.calls, "seccomp is in every kernel that we support");
        // SAFETY: answers a number.
        let dumpable = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
        tell(
            "stay out of dumps",
            if dumpable == 0 { Ok(()) } else { Err(io::Error::other("dumpable")) },
        );
        try_files(folder);
        try_processes(&lookout);
        try_calls();
    }

    fn tell(what: &str, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => println!("{what}: well"),
            Err(error) => println!("{what}: {error}"),
        }
    }

    fn create(path: &Path) -> io::Result<()> {
        File::create(path)?.write_all(b"x")
    }

    fn try_files(folder: &Path) {
        let at = |path: &str| folder.join(path);
        tell("write in its folder", create(&at("state/new")));
        tell("replace in its folder", fs::rename(at("state/new"), at("state/old")));
        tell("read elsewhere", fs::read(at("other/precious")).map(drop));
        tell("write elsewhere", create(&at("other/new")));
        let path = std::ffi::CString::new(at("other/precious").to_str().unwrap()).unwrap();
        // SAFETY: the path ends with a zero.
        let truncated = unsafe { libc::truncate(path.as_ptr(), 0) };
        tell("truncate elsewhere", done(truncated.into()));
        tell("move out of its folder", fs::rename(at("state/old"), at("other/old")));
        tell("unlink the socket", fs::remove_file(at("run/broker.sock")));
        tell("write beside the socket", create(&at("run/new")));
        let elsewhere = at("other/thread");
        let thread = std::thread::Builder::new().spawn(move || create(&elsewhere));
        tell("start a thread", thread.as_ref().map(drop).map_err(|error| error.kind().into()));
        tell("write elsewhere from a thread", thread.unwrap().join().unwrap());
        tell("listen on loopback", TcpListener::bind("127.0.0.1:0").map(drop));
        tell("resolve a name", ("localhost", 80).to_socket_addrs().map(drop));
    }

    fn try_processes(lookout: &Lookout) {
        let parent = std::os::unix::process::parent_id();
        let link = format!("/proc/{parent}/exe");
        tell("see who calls by itself", fs::read_link(link).map(drop));
        let program = lookout.look(parent).unwrap().program;
        // The same program: the test that started this one.
        let is_seen = program == std::env::current_exe().ok();
        tell("see who calls", is_seen.then_some(()).ok_or(io::ErrorKind::NotFound.into()));
        tell("ask by the program that was named", ask_cat(lookout));
        tell("name another program", lookout.allow(Some(Path::new("/bin/sh"))));
        tell("start a program", Command::new("/bin/true").status().map(drop));
        // SAFETY: signal 0 is none.
        let sent = unsafe { libc::kill(parent.cast_signed(), 0) };
        tell("signal its parent", done(sent.into()));
    }

    fn ask_cat(lookout: &Lookout) -> io::Result<()> {
        let mut cat = lookout.prompt()?;
        cat.write_all(b"may it?")?;
        cat.shutdown(Shutdown::Write)?;
        let mut said = String::new();
        cat.read_to_string(&mut said)?;
        assert_eq!(said, "may it?");
        Ok(())
    }

    fn done(answer: libc::c_long) -> io::Result<()> {
        if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn try_calls() {
        let executable = (libc::PROT_READ | libc::PROT_EXEC).into();
        for (what, number, arguments) in [
            ("ptrace", libc::SYS_ptrace, [i64::from(libc::PTRACE_TRACEME), 0, 0]),
            ("process_vm_readv", libc::SYS_process_vm_readv, [1, 0, 0]),
            ("mount", libc::SYS_mount, [0; 3]),
            ("unshare", libc::SYS_unshare, [0; 3]),
            ("clone a user namespace", libc::SYS_clone, [libc::CLONE_NEWUSER.into(), 0, 0]),
            ("bpf", libc::SYS_bpf, [0; 3]),
            ("keyctl", libc::SYS_keyctl, [0; 3]),
            ("io_uring_setup", libc::SYS_io_uring_setup, [0; 3]),
            ("perf_event_open", libc::SYS_perf_event_open, [0; 3]),
            ("userfaultfd", libc::SYS_userfaultfd, [0; 3]),
            ("memfd_create", libc::SYS_memfd_create, [0; 3]),
            ("kexec_load", libc::SYS_kexec_load, [0; 3]),
            ("reboot", libc::SYS_reboot, [0; 3]),
            ("swapon", libc::SYS_swapon, [0; 3]),
            ("init_module", libc::SYS_init_module, [0; 3]),
            ("personality", libc::SYS_personality, [0xffff_ffff, 0, 0]),
            ("a packet socket", libc::SYS_socket, [libc::AF_PACKET.into(), 2, 0]),
            ("map memory to write and execute", libc::SYS_mmap, [0, 4096, 7]),
            ("make memory executable", libc::SYS_mprotect, [0, 0, executable]),
            ("type into a terminal", libc::SYS_ioctl, [0, 0x5412, 0]),
            #[cfg(target_arch = "x86_64")]
            ("a call by its x32 number", 0x4000_0000 | libc::SYS_getpid, [0; 3]),
        ] {
            let [first, second, third] = arguments;
            // SAFETY: with these arguments a kernel that makes the call all the same refuses them, or changes nothing.
            let answer = unsafe { libc::syscall(number, first, second, third, 0_i64, 0_i64) };
            tell(what, done(answer));
        }
    }
}
