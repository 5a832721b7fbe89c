//! Whether others can do more with the socket, the store and their folders than they are meant to.

use std::path::Path;

use valetkey_ipc::Endpoint;
use valetkey_proto::v1::{About, Finding, Status};
use valetkey_safe_path::{MeantFor, Open, find_open, find_open_in};

/// What is too open; nothing where all is closed.
pub fn of_modes(status: &Status) -> Vec<Finding> {
    let endpoint = Endpoint::at(&status.socket);
    let serves_several = status.service.is_some();
    let socket = find_open(endpoint.path(), MeantFor::OwnerAlone).filter(|_| !serves_several);
    let folder = endpoint.path().parent().and_then(|folder| {
        let is_own = !serves_several && endpoint.own_folder().is_some();
        find_open(folder, if is_own { MeantFor::OwnerAlone } else { MeantFor::Everybody })
    });
    let of_socket = socket.into_iter().chain(folder).map(|open| tell(About::Socket, &open));
    let of_store = find_open_in(Path::new(&status.store.path));
    of_socket.chain(of_store.iter().map(|open| tell(About::Store, open))).collect()
}

fn tell(about: About, open: &Open) -> Finding {
    let (what, hint) = (open.to_string(), format!("Run `{}`.", open.remedy()));
    match open.is_bad() {
        true => Finding::bad(about, what, hint),
        false => Finding::warning(about, what, hint),
    }
}
