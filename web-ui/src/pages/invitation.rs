//! An invitation: what it is to, and coming in.

use super::confirm::IncompleteLink;
use crate::api::{account, invitation};
use crate::browser::{leave_for, set_title, store, store_in_tab, stored, stored_in_tab};
use crate::components::form::{Form, FormView};
use crate::components::lone::Lone;
use crate::components::moving::{background, effect, memo, piece, pressed};
use crate::components::notice::FailureNotice;
use crate::components::time::Until;
use crate::model::entry::person::what_for;
use crate::model::failure::Failure;
use crate::model::role::{home_role_sentence, role_sentence};
use crate::navigation::Navigation;
use crate::organization;
use crate::session::Session;
use kaliun_proto::fleet::v1::LookUpInvitationResponse;
use leptos::prelude::*;

/// Where the secret is kept while somebody signs in: in this tab alone. While they wait for the mail that confirms their address, whose
/// link opens another tab, in this browser.
const SECRET: &str = "kaliun.invitation";
/// Whom it is for.
const EMAIL: &str = "kaliun.invitation.email";

/// The invitation that brought somebody here; empty without one.
pub(super) struct Invited {
    /// For the sign-up.
    pub(super) secret: String,
    /// Whom it is for.
    pub(super) email: String,
}

impl Invited {
    /// The one of this tab, or of the sign-up in this browser.
    pub(super) fn known() -> Self {
        let known = |key| stored_in_tab(key).or_else(|| stored(key)).unwrap_or_default();
        Self { secret: known(SECRET), email: known(EMAIL) }
    }

    /// Keeps it until the address is confirmed.
    pub(super) fn keep(&self) {
        if !self.secret.is_empty() {
            store(SECRET, Some(&self.secret));
        }
    }

    fn forget() {
        store_in_tab(SECRET, None);
        store_in_tab(EMAIL, None);
        store(SECRET, None);
    }
}

/// The page: `/invitation#SECRET`.
#[component]
pub(crate) fn InvitationPage() -> impl IntoView {
    set_title("Invitation");
    let navigation = expect_context::<Navigation>();
    let found = RwSignal::new(None::<LookUpInvitationResponse>);
    let failure = RwSignal::new(None::<Failure>);
    let secret = memo(move || {
        let brought = navigation.secret().get();
        if brought.is_empty() { Invited::known().secret } else { brought }
    });
    let look_up = move |secret: String| {
        failure.set(None);
        background(async move {
            match invitation::look_up(secret.clone()).await {
                Ok(answer) => {
                    store_in_tab(SECRET, Some(&secret));
                    store_in_tab(EMAIL, answer.invitation.as_ref().map(|invitation| invitation.email.as_str()));
                    found.try_set(Some(answer));
                }
                Err(problem) => {
                    if matches!(problem, Failure::NotFound(_)) {
                        Invited::forget();
                    }
                    failure.try_set(Some(problem));
                }
            }
        });
    };
    effect(move || {
        let secret = secret.get();
        if !secret.is_empty() {
            look_up(secret);
        }
    });
    piece(move || {
        match (found.get(), failure.get()) {
        (Some(answer), _) => view! { <Offer answer secret=secret.get_untracked()/> }.into_any(),
        (None, Some(Failure::NotFound(_))) => view! {
            <Lone title="This invitation is not good any more." text="It was accepted, taken back, or is older than seven days. Ask whoever invited you for another one.">
                <p class="lone-links"><a href="/">"Go to the start"</a></p>
            </Lone>
        }
        .into_any(),
        (None, Some(failure)) => view! {
            <Lone title="The invitation could not be looked up.">
                <FailureNotice failure>
                    <button class="button" type="button" on:click=pressed(move || look_up(secret.get_untracked()))>"Try again"</button>
                </FailureNotice>
            </Lone>
        }
        .into_any(),
        (None, None) if secret.with(String::is_empty) => view! { <IncompleteLink/> }.into_any(),
        (None, None) => view! { <Lone title="Invitation" text="Looking it up…"><div class="card skeleton-card" aria-busy="true"></div></Lone> }.into_any(),
    }
    })
}

/// What it is to, and what whoever is here can do.
#[component]
fn Offer(answer: LookUpInvitationResponse, secret: String) -> impl IntoView {
    let session = expect_context::<Session>();
    let offer = answer.invitation.unwrap_or_default();
    let is_home = !offer.installation_id.is_empty();
    let what = if is_home { home_role_sentence(offer.home_role()) } else { role_sentence(offer.role()) };
    let invited_by = offer.invited_by.clone();
    let title = if is_home { "You are invited to a home" } else { "You are invited" };
    let text = format!("{}: {}.", answer.organization_name, what_for(&offer));
    let email = StoredValue::new(offer.email.clone());
    let here = memo(move || session.identity().with(|identity| identity.email.clone()));
    let secret = StoredValue::new(secret);
    view! {
        <Lone title text>
            <p>{what}</p>
            <dl class="facts">
                <div class="fact"><dt>"For"</dt><dd>{offer.email.clone()}</dd></div>
                <div class="fact"><dt>"From"</dt><dd>{invited_by}</dd></div>
                <div class="fact"><dt>"Runs out"</dt><dd><Until at_ms=offer.expires_at_ms/></dd></div>
            </dl>
            {piece(move || {
                let here = here.get();
                if here.is_empty() {
                    view! { <Stranger/> }.into_any()
                } else if here.eq_ignore_ascii_case(&email.get_value()) {
                    view! { <Accept secret=secret.get_value()/> }.into_any()
                } else {
                    view! { <SomebodyElse here email=email.get_value()/> }.into_any()
                }
            })}
        </Lone>
    }
}

#[component]
fn Accept(secret: String) -> impl IntoView {
    let form = Form::new("");
    form.on_submit(move || {
        let secret = secret.clone();
        form.send(async move {
            let joined = invitation::accept(secret).await?;
            Invited::forget();
            organization::choose(&joined.id);
            leave_for("/");
            Ok(())
        });
    });
    view! { <FormView form submit="Accept" is_wide=true/> }
}

#[component]
fn SomebodyElse(here: String, email: String) -> impl IntoView {
    let session = expect_context::<Session>();
    let form = Form::new("");
    form.on_submit(move || {
        form.send(async move {
            account::sign_out().await?;
            session.end_everywhere();
            Ok(())
        });
    });
    view! {
        <p class="field-problem">{format!("You are signed in as {here}, and this is for {email}. Sign out, then sign in as {email} or create that account.")}</p>
        <FormView form submit="Sign out" is_wide=true/>
    }
}

#[component]
fn Stranger() -> impl IntoView {
    view! {
        <div class="lone-choice">
            <a class="button primary wide" href="/sign-in?return=/invitation">"Sign in to accept"</a>
            <a class="button wide" href="/sign-up">"Create an account"</a>
        </div>
    }
}
