//! The attributes that are stored with a call besides its columns. What tells of content never is.

/// The attributes that are kept with a call besides its columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept<'k> {
    /// Names that dimensions read.
    pub dimensions: &'k [&'k str],
}

/// Names that are kept whole.
const KEPT: [&[u8]; 5] =
    [b"service.name", b"session.id", b"team", b"gen_ai.agent.name", b"gen_ai.conversation.id"];

/// Words at the end of a name of `user.*` that tell of content: what a user said is never kept.
const CONTENT: [&[u8]; 10] = [
    b"prompt",
    b"message",
    b"messages",
    b"input",
    b"query",
    b"content",
    b"text",
    b"question",
    b"request",
    b"instructions",
];

impl Kept<'_> {
    /// Whether an attribute with this name is kept.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let of_user = || {
            let rest = name.strip_prefix(b"user.");
            rest.is_some_and(|rest| {
                let words = rest.split(|byte| matches!(byte, b'.' | b'_' | b'-'));
                !rest.is_empty() && words.into_iter().all(|word| !CONTENT.contains(&word))
            })
        };
        KEPT.contains(&name)
            || name.starts_with(b"deployment.environment")
            || of_user()
            || self.dimensions.iter().any(|dimension| dimension.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_on_a_list_and_tells_of_no_content() {
        let kept = Kept { dimensions: &["cost.center"] };
        for name in [
            "service.name",
            "user.id",
            "user.account_uuid",
            "user.email",
            "team",
            "deployment.environment",
            "deployment.environment.name",
            "cost.center",
        ] {
            assert!(kept.has(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "user",
            "user.",
            "user.prompt",
            "user.last_message",
            "user_prompt",
            "prompt",
            "gen_ai.input.messages",
            "cost.center.name",
            "process.command_args",
        ] {
            assert!(!kept.has(name.as_bytes()), "{name}");
        }
    }
}
