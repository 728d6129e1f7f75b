//! Forms: fields with their labels and their problems, one button, one call.
//!
//! A field keeps what is typed itself, and the form asks it when it is sent. So a password manager needs no help, and a field costs the
//! download nothing but its markup.

use crate::browser::{field_value, focus, select_field, set_field_value};
use crate::components::commanded::Commanded;
use crate::components::icon::{Icon, IconView};
use crate::components::moving::{Views, background, entered, flag, memo, piece, submitted, words};
use crate::model::failure::Failure;
use crate::model::field::about;
use crate::session::Session;
use leptos::prelude::*;
use std::pin::Pin;

/// A form. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Before the ids of its fields, so that those of several forms on a page differ.
    prefix: &'static str,
    fields: StoredValue<Vec<&'static str>>,
    /// The name of a field, empty for none, and what is wrong with it.
    problem: RwSignal<Option<(String, String)>>,
    is_busy: RwSignal<bool>,
    done: RwSignal<Option<String>>,
    on_submit: StoredValue<Option<Box<dyn Fn()>>, LocalStorage>,
    session: Session,
}

impl Form {
    /// A form whose fields have ids that begin with `prefix`.
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            fields: StoredValue::new(Vec::new()),
            problem: RwSignal::new(None),
            is_busy: RwSignal::new(false),
            done: RwSignal::new(None),
            on_submit: StoredValue::new_local(None),
            session: expect_context::<Session>(),
        }
    }

    /// What is done when it is sent: it looks at the fields, and makes the call.
    pub(crate) fn on_submit(self, action: impl Fn() + 'static) {
        self.on_submit.set_value(Some(Box::new(action)));
    }

    /// What is typed into a field, without the spaces around it.
    pub(crate) fn text(self, field: &str) -> String {
        self.secret(field).trim().to_owned()
    }

    /// What is typed into a field, as it is: for passwords.
    pub(crate) fn secret(self, field: &str) -> String {
        field_value(&self.id(field))
    }

    /// Empties a field.
    pub(crate) fn clear(self, field: &str) {
        set_field_value(&self.id(field), "");
    }

    /// Says what is wrong with a field, and goes there. True when something is.
    pub(crate) fn refuses(self, field: &'static str, problem: Option<String>) -> bool {
        let is_wrong = problem.is_some();
        if let Some(problem) = problem {
            self.say(field, problem);
        }
        is_wrong
    }

    /// Says that it is done, below the button.
    pub(crate) fn is_done(self, sentence: &str) {
        self.done.try_set(Some(sentence.to_owned()));
    }

    /// Whether a call is under way.
    pub(crate) fn is_busy(self) -> RwSignal<bool> {
        self.is_busy
    }

    /// Makes a call; what goes wrong with it stands at the field that it is about, or below all of them.
    pub(crate) fn send(self, call: impl Future<Output = Result<(), Failure>> + 'static) {
        self.send_boxed(Box::pin(call));
    }

    fn send_boxed(self, call: Pin<Box<dyn Future<Output = Result<(), Failure>>>>) {
        self.is_busy.set(true);
        self.problem.set(None);
        self.done.set(None);
        background(async move {
            let outcome = call.await;
            self.is_busy.try_set(false);
            if let Err(failure) = outcome {
                self.fail(&failure);
            }
        });
    }

    fn fail(self, failure: &Failure) {
        self.session.notice(failure);
        let Some((field, sentence)) = self.fields.try_with_value(|fields| about(failure, fields)) else { return };
        self.say(field, sentence);
    }

    /// Says something of a field, or with an empty name of the whole.
    pub(crate) fn say(self, field: &'static str, sentence: String) {
        // The page may be gone by now.
        let is_gone = self.problem.try_set(Some((field.to_owned(), sentence))).is_some();
        if !is_gone && !field.is_empty() {
            focus(&self.id(field));
            select_field(&self.id(field));
        }
    }

    fn id(self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    /// A field that is none of those below: what is wrong with it.
    pub(crate) fn field(self, name: &'static str) -> Memo<Option<String>> {
        self.fields.update_value(|fields| fields.push(name));
        self.problem_of(name)
    }

    /// What is wrong with none of the fields.
    pub(crate) fn general(self) -> Memo<Option<String>> {
        self.problem_of("")
    }

    fn problem_of(self, field: &'static str) -> Memo<Option<String>> {
        memo(move || {
            self.problem.with(|problem| {
                problem.as_ref().filter(|(about, _)| *about == field).map(|(_, sentence)| sentence.clone())
            })
        })
    }
}

/// What is wrong, read out when it comes.
#[component]
pub(crate) fn Problem(text: Memo<Option<String>>, #[prop(optional)] id: Option<String>) -> impl IntoView {
    view! {
        <p id=id class="field-problem form-problem" role="alert">{piece(move || text.get().map(|text| view! { <Commanded text/> }))}</p>
    }
}

/// The form's element: fields, what is wrong with none of them, and the button.
#[component]
pub(crate) fn FormView(
    form: Form,
    /// What is on the button.
    submit: &'static str,
    #[prop(default = "form")] class: &'static str,
    #[prop(default = "primary")] tone: &'static str,
    #[prop(optional)] is_wide: bool,
    /// The fields; none where a button is all that there is.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let on_submit = move || {
        if !form.is_busy.get_untracked() {
            form.on_submit.with_value(|action| {
                if let Some(action) = action {
                    action();
                }
            });
        }
    };
    let general = form.general();
    let on_input = move |_text| {
        if form.problem.with_untracked(Option::is_some) {
            form.problem.set(None);
        }
    };
    let width = if is_wide { "wide" } else { "" };
    view! {
        <form class=class on:submit=submitted(on_submit) on:input=entered(on_input) novalidate=true>
            {children.map(|fields| fields())}
            <Problem text=general/>
            <div class="form-end">
                <button class=format!("button {tone} {width}") type="submit" disabled=flag(move || form.is_busy.get())>{submit}</button>
                <span class="form-done" role="status">{form.done}</span>
            </div>
        </form>
    }
}

/// A field for a line of text.
#[component]
pub(crate) fn Field(
    form: Form,
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    /// A sentence below the label.
    #[prop(default = "")]
    help: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional)] autofocus: bool,
) -> impl IntoView {
    let id = form.id(name);
    let (problem_id, help_id) = (format!("{id}-problem"), format!("{id}-help"));
    let problem = form.field(name);
    let is_plain = kind != "text" || autocomplete.contains("username");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <p class="field-help" id=help_id.clone()>{help}</p>
            <input
                id=id
                name=name
                type=kind
                autocomplete=autocomplete
                autocapitalize=is_plain.then_some("none")
                spellcheck=is_plain.then_some("false")
                autofocus=autofocus
                aria-describedby=format!("{problem_id} {help_id}")
                aria-invalid=words(move || problem.with(|problem| problem.is_some().to_string()))
                value=value
            />
            <Problem id=problem_id text=problem/>
        </div>
    }
}

/// A field with a choice: values with what stands for them.
#[component]
pub(crate) fn Choice(
    form: Form,
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    #[prop(default = "")] help: &'static str,
    #[prop(optional, into)] value: String,
) -> impl IntoView {
    let id = form.id(name);
    let (problem_id, help_id) = (format!("{id}-problem"), format!("{id}-help"));
    let problem = form.field(name);
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <p class="field-help" id=help_id.clone()>{help}</p>
            <div class="select">
                <select id=id name=name aria-describedby=format!("{problem_id} {help_id}")>
                    {options.into_iter().map(|(word, text)| {
                        let is_chosen = word == value;
                        view! { <option value=word selected=is_chosen>{text}</option> }
                    }).views()}
                </select>
                <IconView icon=Icon::Down/>
            </div>
            <Problem id=problem_id text=problem/>
        </div>
    }
}

/// A choice among a few, each with what it means: value, word and sentence. The first is chosen.
#[component]
pub(crate) fn Options(
    form: Form,
    name: &'static str,
    label: &'static str,
    options: Vec<(&'static str, String, &'static str)>,
) -> impl IntoView {
    let id = form.id(name);
    let problem = form.field(name);
    let mut is_first = true;
    let options = options.into_iter().map(|(value, word, sentence)| {
        let is_chosen = std::mem::take(&mut is_first);
        view! {
            <label class="option">
                <input type="radio" name=id.clone() value=value checked=is_chosen/>
                <span><b>{word}</b><span class="field-help">{sentence}</span></span>
            </label>
        }
    });
    let options = options.views();
    view! {
        <fieldset class="options">
            <legend>{label}</legend>
            {options}
            <Problem text=problem/>
        </fieldset>
    }
}
