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

/// The beginning of names that tell of the user. What a user said is never kept.
const USER: &[u8] = b"user.";

/// Parts of words in the name of an attribute of the user that tell of content.
const CONTENT: [&str; 21] = [
    "answer",
    "comment",
    "completion",
    "content",
    "feedback",
    "input",
    "instruct",
    "message",
    "output",
    "prompt",
    "queries",
    "query",
    "question",
    "replies",
    "reply",
    "request",
    "response",
    "speech",
    "text",
    "transcript",
    "utterance",
];

/// Bytes that the value of an attribute of the user may have: what is longer is no name and no id.
const USER_BYTES_MAX: usize = 256;

impl Kept<'_> {
    /// Whether a dimension reads the attribute with this name.
    pub(super) fn is_read(&self, name: &[u8]) -> bool {
        self.dimensions.iter().any(|dimension| dimension.as_bytes() == name)
    }

    /// Whether an attribute with this name is kept wherever it is.
    pub(super) fn is_named(name: &[u8]) -> bool {
        KEPT.contains(&name)
    }

    /// Whether an attribute with this name is kept, as one of any number of its kind.
    pub(super) fn has(name: &[u8]) -> bool {
        name.starts_with(b"deployment.environment")
            || name.strip_prefix(USER).is_some_and(|rest| !rest.is_empty() && !is_content(rest))
    }

    /// Whether an attribute that is kept may have a value of this size.
    pub(super) fn fits(name: &[u8], bytes: usize) -> bool {
        !name.starts_with(USER) || bytes <= USER_BYTES_MAX
    }
}

/// Whether a name tells of content, in whatever case and form its words are put together.
fn is_content(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_lowercase();
    CONTENT.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_on_a_list_and_tells_of_no_content() {
        let kept = Kept { dimensions: &["cost.center"] };
        let how = |name: &str| {
            let name = name.as_bytes();
            [kept.is_read(name), Kept::is_named(name), Kept::has(name)]
        };
        assert_eq!(how("cost.center"), [true, false, false]);
        for name in ["service.name", "session.id", "team"] {
            assert_eq!(how(name), [false, true, false], "{name}");
        }
        for name in [
            "user.id",
            "user.account_uuid",
            "user.email",
            "user.full_name",
            "user.roles",
            "deployment.environment",
            "deployment.environment.name",
        ] {
            assert_eq!(how(name), [false, false, true], "{name}");
        }
        for name in [
            "",
            "user",
            "user.",
            "user.prompt",
            "user.last_message",
            "user.prompts",
            "user.userPrompt",
            "user.lastMessage",
            "user.inputText",
            "user.answer",
            "user.completion",
            "user.instruction",
            "user.transcript",
            "user.userprompt",
            "user.Queries",
            "user_prompt",
            "prompt",
            "gen_ai.input.messages",
            "cost.center.name",
            "process.command_args",
        ] {
            assert_eq!(how(name), [false; 3], "{name}");
        }
        assert!(Kept::fits(b"user.id", 256) && !Kept::fits(b"user.id", 257));
        assert!(Kept::fits(b"deployment.environment", 257));
    }
}
