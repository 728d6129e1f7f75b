//! Taking another address, with the link of the mail that was sent to it.

use super::confirm::IncompleteLink;
use crate::api::account;
use crate::browser::set_title;
use crate::components::form::{Form, FormView};
use crate::components::lone::Lone;
use crate::components::moving::piece;
use crate::navigation::Navigation;
use crate::session::Session;
use leptos::prelude::*;

/// The page: `/change-address#SECRET`. It asks first, for programs that look at mails open their links too.
#[component]
pub(crate) fn ChangeAddressPage() -> impl IntoView {
    set_title("Another address");
    let session = expect_context::<Session>();
    let navigation = expect_context::<Navigation>();
    let now = RwSignal::new(None::<String>);
    let form = Form::new("");
    form.on_submit(move || {
        let secret = navigation.secret().get_untracked();
        form.send(async move {
            let email = account::confirm_address_change(secret).await?;
            now.try_set(Some(email));
            session.ask();
            Ok(())
        });
    });
    if navigation.secret().with_untracked(String::is_empty) {
        return view! { <IncompleteLink/> }.into_any();
    }
    piece(move || match now.get() {
        Some(email) => view! {
            <Lone title="Your address is changed." text=format!("Sign in with {email} from now on. Your old address was told.") is_answer=true>
                <a class="button primary wide" href="/account">"Go to your account"</a>
            </Lone>
        }
        .into_any(),
        None => view! {
            <Lone title="Use this address?" text="Your account gets the address that this mail was sent to. The old one is told.">
                <FormView form submit="Use it" is_wide=true/>
                <p class="lone-links"><a href="/account">"Leave it as it is"</a></p>
            </Lone>
        }
        .into_any(),
    })
    .into_any()
}
