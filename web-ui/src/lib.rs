//! The web dashboard.
#[cfg(target_arch = "wasm32")]
mod start {
    use leptos::prelude::*;
    #[wasm_bindgen::prelude::wasm_bindgen(start)]
    pub fn main() {
        let client = tonic_web_wasm_client::Client::new(String::new());
        let _c = kaliun_proto::fleet::v1::account_service_client::AccountServiceClient::new(client);
        mount_to_body(|| view! { <leptos_router::components::Router><p>"x"</p></leptos_router::components::Router> });
    }
}
