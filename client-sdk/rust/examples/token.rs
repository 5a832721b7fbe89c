//! Prints a token of the application `graph`. The person signs in where it takes that.

use valetkey_client::blocking::Client;
use valetkey_client::v1::{FlowKind, StartFlowRequest, TokenRequest};

fn main() -> Result<(), valetkey_client::Error> {
    let client = Client::new()?;
    let app = client.open_named_app("graph")?;
    let request = TokenRequest { scopes: vec!["User.Read".into()], ..Default::default() };
    let token = match app.acquire_token_silent(&request) {
        Err(error) if error.is_sign_in_needed() => {
            let sign_in = StartFlowRequest::new(FlowKind::DeviceCode, request.scopes);
            let flow = app.start_flow(&sign_in)?;
            println!("{}", flow.message().unwrap_or_default());
            client.finish_flow(flow)?
        }
        outcome => outcome?,
    };
    println!("{}", token.access_token);
    Ok(())
}
