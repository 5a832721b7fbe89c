//! Azure's regional token service: where an application's own token is asked for.

use std::time::Duration;

use valetkey_oauth::{Region, build_region_request, parse_region};

use crate::application::{Definition, RegionWish};
use crate::engine::Engine;

/// How long the machine may take to say where it is. Outside of Azure nobody answers (MSAL then waits for ever).
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// The region that the application's own tokens come from; none is the central host.
    pub(crate) async fn region_of(&self, definition: &Definition) -> Option<Region> {
        match definition.region.as_ref()? {
            RegionWish::Named(region) => Some(region.clone()),
            RegionWish::Detected => self.machine_region().await,
        }
    }

    /// Where the machine is. It does not move, so it is asked once.
    async fn machine_region(&self) -> Option<Region> {
        let asking = async {
            tokio::select! {
                answer = self.ports.http.send(build_region_request(), None) => {
                    answer.ok().as_ref().and_then(parse_region)
                }
                () = self.ports.clock.sleep(PATIENCE) => None,
            }
        };
        self.machine_region.get_or_init(|| asking).await.clone()
    }
}
