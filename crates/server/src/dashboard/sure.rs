//! The question before what cannot be taken back: asked on a page of its own, so that it needs no script.

use super::page::{Form, Page, Section, Style};
use super::visit::Visit;

/// Whether a form does something that cannot be taken back.
pub(super) fn is_needed(segments: &[&str]) -> bool {
    name(segments).is_some()
}

/// The name of the message that says what will happen.
fn name(segments: &[&str]) -> Option<&'static str> {
    Some(match segments {
        ["organizations", _, "remove"] => "sure-remove",
        ["organizations", _, "revoke"] => "sure-revoke",
        ["organizations", _, "leave"] => "sure-leave",
        ["invitations", _, "decline"] => "sure-decline",
        ["account", "api"] => "sure-rotate",
        ["account", "applications", "withdraw"] => "sure-withdraw",
        ["account", "applications", "sign-out"] => "sure-sign-out",
        ["account", "security", "forget-password"] => "sure-forget-password",
        ["account", "security", "recovery-codes"] => "sure-recovery-codes",
        ["account", "security", "remove-code"] => "sure-remove-code",
        ["account", "security", "remove-passkey"] => "sure-remove-passkey",
        _ => return None,
    })
}

/// Asks, and sends the same form again for a yes.
pub(super) fn page(visit: &Visit<'_>, segments: &[&str]) -> Page {
    let say = &visit.say;
    let mut form =
        Form::new(visit.asked.uri.path(), say.of("sure.yes")).style(Style::Danger).hidden("sure", "yes");
    for name in ["membership", "id"] {
        if !visit.field(name).is_empty() {
            form = form.hidden(name, visit.field(name));
        }
    }
    let back = super::page::address_of(visit.asked.uri.path());
    let section = Section::new(say.of("sure"))
        .text(say.of(name(segments).unwrap_or("sure")))
        .form(form)
        .link(back, say.of("sure.no"));
    Page::narrow(say.of("sure"), section)
}
