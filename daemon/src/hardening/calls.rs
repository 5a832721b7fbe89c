//! seccomp (seccomp(2)): system calls that the process never makes, refused with `EPERM` in case somebody else makes them.
//!
//! A list of what is refused, and not of what is allowed: name services, keyrings and TLS call what they like, and differently
//! with each version of the C library; the systemd units add `SystemCallFilter=@system-service` for where that is known.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, BackendError>;

/// Filters the calls of this thread and of all that it starts, for good.
pub(super) fn confine() -> Result<(), seccompiler::Error> {
    // Its flags are behind a pointer, where no filter looks; the C library falls back to clone(2).
    let unfilterable = Rules::from([(libc::SYS_clone3, Vec::new())]);
    for (rules, error) in [(unfilterable, libc::ENOSYS), (refused()?, libc::EPERM)] {
        apply_filter(&compile(rules, error)?)?;
    }
    Ok(())
}

fn compile(rules: Rules, error: i32) -> Built<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse.clone(), architecture)?;
    let program = BpfProgram::try_from(filter)?;
    Ok(without_x32(program, refuse))
}

/// The same calls have other numbers by the x32 interface of x86-64 kernels, and the same architecture.
#[cfg(target_arch = "x86_64")]
fn without_x32(program: BpfProgram, refuse: SeccompAction) -> BpfProgram {
    use seccompiler::sock_filter;

    let instruction = |code: u32, k, jf| sock_filter { code: code as u16, jt: 0, jf, k };
    let mut all = vec![
        // The call's number, which is what a filter's data begin with.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, X32_CALLS, 1),
        instruction(libc::BPF_RET | libc::BPF_K, refuse.into(), 0),
    ];
    all.extend(program);
    all
}

#[cfg(not(target_arch = "x86_64"))]
fn without_x32(program: BpfProgram, _refuse: SeccompAction) -> BpfProgram {
    program
}

#[cfg(target_arch = "x86_64")]
const X32_CALLS: u32 = 0x4000_0000;

fn refused() -> Built<Rules> {
    let mut rules: Rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, vec![other_than(0, FAMILIES)?]);
    rules.insert(libc::SYS_clone, all_bits_of_each(0, NAMESPACES)?);
    // Code that is written at run time: no page is writable and executable, and none becomes executable.
    let write_and_execute = libc::PROT_WRITE | libc::PROT_EXEC;
    rules.insert(libc::SYS_mmap, all_bits_of_each(2, &[write_and_execute])?);
    for call in [libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        rules.insert(call, all_bits_of_each(2, &[libc::PROT_EXEC])?);
    }
    rules.insert(libc::SYS_shmat, all_bits_of_each(2, &[libc::SHM_EXEC])?);
    // Typing into a terminal that others read from.
    rules.insert(libc::SYS_ioctl, vec![one_of(1, TIOCSTI)?, one_of(1, TIOCLINUX)?]);
    Ok(rules)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn one_of(argument: u8, value: u64) -> Built<SeccompRule> {
    SeccompRule::new(vec![condition(argument, SeccompCmpOp::Eq, value)?])
}

fn other_than(argument: u8, values: &[i32]) -> Built<SeccompRule> {
    let unequal = |value: &i32| condition(argument, SeccompCmpOp::Ne, bits(*value));
    SeccompRule::new(values.iter().map(unequal).collect::<Built<_>>()?)
}

fn all_bits_of_each(argument: u8, masks: &[i32]) -> Built<Vec<SeccompRule>> {
    let masked = |mask: &i32| {
        let mask = bits(*mask);
        SeccompRule::new(vec![condition(argument, SeccompCmpOp::MaskedEq(mask), mask)?])
    };
    masks.iter().map(masked).collect()
}

/// As the register has them: flags are no numbers, and have no sign.
fn bits(flags: i32) -> u64 {
    u64::from(flags.cast_unsigned())
}

/// Callers, providers, and what the C library asks which addresses the machine has.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// ioctl_tty(2), ioctl_console(2)
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// Younger than the C library's list.
const OPEN_TREE_ATTR: c_long = 467;

const NEVER: &[c_long] = &[
    // Other programs: who prompts for the daemon is started by its lookout.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes' memory and files.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Another view of the file system, or another root.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The machine: its swap, its kernel, its clock, its names.
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    // A file that is nowhere, to write code into and map.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    // What kernels were broken by again and again, and the daemon has no use for.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_personality,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    #[cfg(any(target_arch = "x86_64", target_env = "gnu"))]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
];
