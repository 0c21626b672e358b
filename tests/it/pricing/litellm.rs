//! LiteLLM's table prices calls as LiteLLM does.
