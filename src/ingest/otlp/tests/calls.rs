//! Which records are calls, and what is read of them.

use super::*;

fn span_event(name: &str, lines: &str) -> Option<Event> {
    event_of(OtlpSignal::Traces, "scope", &span(name, lines))
}

#[test]
fn operations_decide_where_they_are_told() {
    for operation in ["chat", "generate_content", "text_completion", "embeddings", "embedding"] {
        let event = span_event("x", &format!("gen_ai.operation.name={operation}")).unwrap();
        assert_eq!(core(&event), "- - - - - - - -");
    }
    for operation in [
        "create_agent",
        "invoke_agent",
        "invoke_workflow",
        "execute_tool",
        "plan",
        "retrieval",
        "rerank",
        "fetch_response",
        "llm_call",
        "Chat",
        "5",
    ] {
        let lines = format!(
            "gen_ai.operation.name={operation};gen_ai.usage.input_tokens=5;gen_ai.response.id=r;\
             gen_ai.system=openai;openinference.span.kind=LLM"
        );
        assert_eq!(span_event("ai.x.doGenerate", &lines), None, "{operation}");
    }
}

#[test]
fn without_an_operation_the_instrumentation_says_it() {
    for lines in [
        "openinference.span.kind=LLM",
        "openinference.span.kind=EMBEDDING",
        "langfuse.observation.type=generation",
        "langfuse.observation.type=embedding",
        "llm.request.type=chat",
        "llm.request.type=completion",
        "llm.request.type=embedding",
        "langsmith.span.kind=llm",
        "ai.operationId=ai.streamText.doStream",
        "gen_ai.system=openai;gen_ai.response.id=r;gen_ai.usage.output_tokens=0",
    ] {
        assert!(span_event("x", lines).is_some(), "{lines}");
    }
    for name in ["ai.generateText.doGenerate", "ai.streamText.doStream", "ai.embed.doEmbed"] {
        assert!(span_event(name, "a=b").is_some(), "{name}");
    }
    for lines in [
        "a=b",
        "openinference.span.kind=CHAIN",
        "langfuse.observation.type=span",
        "llm.request.type=rerank",
        "langsmith.span.kind=chain",
        "ai.operationId=ai.generateText",
        "gen_ai.system=openai;gen_ai.response.id=r",
        "gen_ai.system=openai;gen_ai.usage.input_tokens=5",
        "gen_ai.aggregated_usage.input_tokens=5;gen_ai.system=openai;gen_ai.response.id=r",
    ] {
        assert_eq!(span_event("ai.generateText", lines), None, "{lines}");
    }
}

#[test]
fn embeddings_of_vercel_are_told_of_by_two_spans() {
    let of = |scope: &str, more: &str| {
        let lines = format!("gen_ai.operation.name=embeddings;gen_ai.request.model=e;{more}");
        event_of(OtlpSignal::Traces, scope, &span("embeddings e", &lines)).is_some()
    };
    assert!(!of("gen_ai", ""));
    assert!(of("gen_ai", "gen_ai.usage.input_tokens=5"));
    assert!(of("gen_ai", "gen_ai.usage.input_tokens=0"));
    assert!(of("another", ""));
}

#[test]
fn an_error_counts_if_it_took_tokens() {
    let chat = "gen_ai.operation.name=chat;error.type=Timeout";
    assert_eq!(span_event("x", chat), None);
    assert_eq!(span_event("x", &format!("{chat};gen_ai.usage.input_tokens=0")), None);
    assert_eq!(span_event("x", &format!("{chat};gen_ai.usage.input_tokens= 0.0 ")), None);
    assert!(span_event("x", &format!("{chat};gen_ai.usage.input_tokens=5")).is_some());
    let cached = span_event("x", &format!("{chat};gen_ai.usage.cache_read.input_tokens=50"));
    assert_eq!(core(&cached.unwrap()), "- - 50 - 50 - - -");
    let langfuse = "langfuse.observation.type=generation;langfuse.observation.level=ERROR;\
        langfuse.observation.cost_details={\"input\":0,\"total\":0}";
    for (details, counts) in [
        ("", false),
        ("{}", false),
        ("{\"input\":0,\"output\":0}", false),
        ("{\"input\":5,\"output\":0}", true),
    ] {
        let lines = format!("{langfuse};langfuse.observation.usage_details={details}");
        assert_eq!(span_event("x", &lines).is_some(), counts, "{details}");
    }
    for (status, counts) in
        [("2", false), ("\"2\"", false), ("\"STATUS_CODE_ERROR\"", false), ("1", true)]
    {
        let span = span("x", "gen_ai.operation.name=chat");
        let span = span.replace("\"status\":{}", &format!("\"status\":{{\"code\":{status}}}"));
        assert_eq!(event_of(OtlpSignal::Traces, "s", &span).is_some(), counts, "{status}");
    }
}

/// The span with this name and these attributes is this call.
fn assert_understood(name: &str, lines: &str, expected: &str) {
    let lines = lines.replace(";\n", "\n");
    assert_eq!(core(&span_event(name, &lines).unwrap()), expected, "{name}");
}

#[test]
fn each_instrumentation_is_understood() {
    for (name, lines, expected) in [
        (
            "openinference",
            "openinference.span.kind=LLM;llm.provider=openai;llm.model_name=gpt-4o;
             llm.token_count.prompt=13;llm.token_count.completion=9;llm.token_count.total=22;
             llm.token_count.prompt_details.cache_read=4;
             llm.token_count.completion_details.reasoning=2;llm.cost.total=0.00012",
            "openai gpt-4o 13 9 4 - 2 0.00012",
        ),
        (
            "embedding",
            "openinference.span.kind=EMBEDDING;embedding.model_name=e;llm.token_count.prompt=5",
            "- e 5 - - - - -",
        ),
        (
            "openllmetry",
            "llm.request.type=chat;gen_ai.system=Anthropic;gen_ai.request.model=a;
             gen_ai.response.model=b;gen_ai.usage.prompt_tokens=4;
             gen_ai.usage.completion_tokens=7;gen_ai.usage.cache_read_input_tokens=11;
             gen_ai.usage.cache_creation_input_tokens=3;llm.usage.total_tokens=25",
            "Anthropic b 18 7 11 3 - -",
        ),
        (
            "ai.generateText.doGenerate",
            "ai.model.provider=openai.chat;ai.model.id=gpt-4o;ai.usage.inputTokens=13;
             ai.usage.outputTokens=9;ai.usage.cachedInputTokens=4;ai.usage.reasoningTokens=2;
             gen_ai.system=openai.chat;gen_ai.request.model=gpt-4o;gen_ai.usage.input_tokens=13",
            "openai gpt-4o 13 9 4 - 2 -",
        ),
        ("ai.embed.doEmbed", "ai.model.id=e;ai.usage.tokens=5", "- e 5 - - - - -"),
        (
            "langfuse",
            "langfuse.observation.type=generation;langfuse.observation.model.name=m;
             langfuse.observation.usage_details={\"input\":9,\"output\":9,\"input_cached_tokens\":4};
             langfuse.observation.cost_details={\"total\":0.002}",
            "- m 13 9 4 - - 0.002",
        ),
        (
            "pydantic",
            "gen_ai.operation.name=chat;gen_ai.provider.name=openai;operation.cost=0.25;
             gen_ai.usage.input_tokens=13;gen_ai.usage.output_tokens=9;
             gen_ai.usage.details.cache_read_tokens=4;gen_ai.usage.details.reasoning_tokens=2",
            "openai - 13 9 4 - 2 0.25",
        ),
    ] {
        assert_understood(name, lines, expected);
    }
}

#[test]
fn names_of_the_last_two_years_are_understood() {
    for (name, lines, expected) in [
        (
            "pydantic 0.2",
            "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=13;
             gen_ai.usage.details.cached_tokens=4",
            "- - 13 - 4 - - -",
        ),
        (
            "pydantic 0.4 of gemini",
            "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=13;
             gen_ai.usage.details.cached_content_tokens=4",
            "- - 13 - 4 - - -",
        ),
        (
            "strands",
            "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=10;gen_ai.usage.output_tokens=9;
             gen_ai.usage.cache_read_input_tokens=100;gen_ai.usage.cache_write_input_tokens=50",
            "- - 160 9 100 50 - -",
        ),
        (
            "openlit",
            "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=13;gen_ai.usage.output_tokens=9;
             gen_ai.usage.prompt_tokens_details.cached_tokens=4;
             gen_ai.usage.prompt_tokens_details.cache_creation_tokens=3;
             gen_ai.usage.completion_tokens_details.reasoning_tokens=2",
            "- - 13 9 4 3 2 -",
        ),
        (
            "openinference of older caches",
            "openinference.span.kind=LLM;llm.token_count.prompt=13;
             llm.token_count.prompt_details.cache_input=4",
            "- - 13 - 4 - - -",
        ),
        (
            "langsmith",
            "langsmith.span.kind=llm;gen_ai.usage.input_tokens=13;gen_ai.usage.output_tokens=9;
             gen_ai.usage.input_token_details={'cache_read': 4};
             gen_ai.usage.output_token_details={'reasoning': 2}",
            "- - 13 9 4 - 2 -",
        ),
        (
            "langsmith's metadata",
            "langsmith.span.kind=llm;gen_ai.usage.input_tokens=13;
             langsmith.metadata.usage_metadata={\"input_tokens\":13,\"output_tokens\":9,\"input_token_details\":{\"cache_read\":4}}",
            "- - 13 9 4 - - -",
        ),
        (
            "ai.streamText.doStream",
            "ai.operationId=ai.streamText.doStream;gen_ai.usage.input_tokens=NaN;
             ai.usage.promptTokens=NaN;gen_ai.usage.output_tokens=NaN;gen_ai.usage.cost=NaN",
            "- - - - - - - -",
        ),
    ] {
        assert_understood(name, lines, expected);
    }
}

#[test]
fn the_newest_name_with_a_value_is_believed() {
    let chat = "gen_ai.operation.name=chat";
    let event = span_event(
        "x",
        &format!(
            "model=z;gen_ai.request.model=asked;gen_ai.response.model= ;{chat};\
             gen_ai.usage.prompt_tokens=1;gen_ai.usage.input_tokens=2;gen_ai.system=old;\
             gen_ai.provider.name=new"
        ),
    );
    assert_eq!(core(&event.unwrap()), "new asked 2 - - - - -");
}

#[test]
fn costs_are_dollars_and_not_0_for_tokens() {
    let cost = |lines: &str| {
        let lines = format!("gen_ai.operation.name=chat;{lines}");
        span_event("x", &lines).unwrap().get("cost_usd").cloned()
    };
    let tokens = "gen_ai.usage.input_tokens=5";
    for (lines, expected) in [
        ("gen_ai.usage.cost.amount=0.5", Some("0.5")),
        ("gen_ai.usage.cost.amount=0.5;gen_ai.usage.cost.currency=usd", Some("0.5")),
        ("gen_ai.usage.cost.amount=0.5;gen_ai.usage.cost.currency=EUR", None),
        ("gen_ai.usage.cost=3.666e-3", Some("0.003666")),
        ("gen_ai.cost.total_cost=1", Some("1")),
        ("gen_ai.usage.cost=0.0", Some("0")),
        ("gen_ai.usage.cost.amount=0;llm.cost.total=0.5", Some("0.5")),
        ("gen_ai.usage.cost=0;llm.cost.total=0.5", Some("0.5")),
        ("llm.cost.total=0.5;gen_ai.usage.cost=0", Some("0.5")),
        ("gen_ai.usage.cost.amount=9;gen_ai.usage.cost.currency=EUR;cost_usd=0.5", Some("0.5")),
        (
            "gen_ai.usage.cost=0;langfuse.observation.cost_details={\"input\":0.1,\"output\":0.2}",
            Some("0.3"),
        ),
        ("", None),
    ] {
        assert_eq!(cost(lines).as_deref(), expected, "{lines}");
    }
    assert_eq!(cost(&format!("gen_ai.usage.cost=0.0;{tokens}")), None);
    assert_eq!(cost(&format!("gen_ai.usage.cost=1e-7;{tokens}")).as_deref(), Some("0.0000001"));
}

#[test]
fn what_prices_need_and_what_is_kept_is_in_attributes() {
    let lines = "gen_ai.operation.name=chat;openai.request.service_tier=auto;
        openai.response.service_tier=flex;user.id=u;user.prompt=Say hi;session.id=s;team=t;
        service.name=own;cost.center=7;gen_ai.input.messages=[];deployment.environment.name=prod;
        gen_ai.usage.details.input_audio_tokens=4;gen_ai.agent.name=bot;other=x";
    let event = span_event("x", lines).unwrap();
    let attributes: Vec<_> = event
        .iter()
        .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix("attributes.")?)))
        .collect();
    assert_eq!(
        attributes.join(" "),
        "cost.center=7 deployment.environment.name=prod gen_ai.agent.name=bot \
         input_audio_tokens=4 service.name=own service_tier=flex session.id=s team=t user.id=u"
    );
    assert_eq!(event["source"], "scope");
    for hour in [
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.details.ephemeral_1h_input_tokens",
    ] {
        let lines = "gen_ai.operation.name=chat;anthropic.response.service_tier=batch;
            gen_ai.usage.input_tokens=400;gen_ai.usage.cache_write.input_tokens=300";
        let event = span_event("x", &format!("{lines};{hour}=200")).unwrap();
        let names = ["attributes.cache_write_1h_tokens", "attributes.service_tier"];
        assert_eq!(some(&event, &names), ["200", "batch"]);
    }
}

#[test]
fn lists_and_maps_are_kept_as_json_and_are_no_counts() {
    let value = r#"{"arrayValue":{"values":[{"stringValue":"a\"b"},{"intValue":"5"},{},
        {"kvlistValue":{"values":[{"key":"k","value":{"doubleValue":"NaN"}}]}}]}}"#;
    let with = |name: &str, value: &str| {
        let span = span("x", "gen_ai.operation.name=chat;gen_ai.response.id=r");
        let more = format!(r#""attributes":[{{"key":"{name}","value":{value}}},"#);
        let span = span.replace("\"attributes\":[", &more);
        let body = request(OtlpSignal::Traces, "s", &span);
        taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).unwrap().events.remove(0)
    };
    assert_eq!(with("user.roles", value)["attributes.user.roles"], r#"["a\"b",5,null,{"k":null}]"#);
    let bytes = r#"{"bytesValue":"MTIz"}"#;
    assert_eq!(with("user.hash", bytes)["attributes.user.hash"], "MTIz");
    for odd in [value, bytes] {
        assert_eq!(
            with("gen_ai.usage.input_tokens", odd)["input_tokens"],
            "a list, a map or bytes"
        );
        assert!(!with("gen_ai.request.model", odd).contains_key("model"));
    }
    let deep = format!("{}{{}}{}", "{\"arrayValue\":{\"values\":[".repeat(17), "]}}".repeat(17));
    assert!(!with("team", &deep).contains_key("attributes.team"));
}

#[test]
fn of_several_records_of_one_call_the_best_counts_in_any_order() {
    let of = |scope: &str, more: &str| {
        let span = span("x", &format!("gen_ai.operation.name=chat;gen_ai.response.id=r{more}"));
        format!(r#"{{"scope":{{"name":"{scope}"}},"spans":[{span}]}}"#)
    };
    let usage =
        |output: u64| format!(";gen_ai.usage.input_tokens=35;gen_ai.usage.output_tokens={output}");
    let library = of("com.anthropic.sdk.python", &usage(7));
    let stream = of("opentelemetry.instrumentation.anthropic", &usage(8));
    let without = of("opentelemetry.instrumentation.openai.v1", "");
    for (one, other) in [(&library, &stream), (&library, &without)] {
        for pair in [[one, other], [other, one]] {
            let scopes = pair.map(String::as_str).join(",");
            let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{scopes}]}}]}}"#);
            let taken = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).unwrap();
            // Those that the archive finds to be of a known call do not count.
            assert_eq!(core(&taken.events[0]), "- - 35 7 - - - -", "{body}");
        }
    }
}

#[test]
fn ids_are_those_of_answers_spans_or_a_hash() {
    let chat = "gen_ai.operation.name=chat";
    let id = |span: &str| event_of(OtlpSignal::Traces, "s", span).unwrap()["event_id"].clone();
    assert_eq!(id(&span("x", &format!("{chat};gen_ai.response.id= r "))), "r");
    assert_eq!(id(&span("x", &format!("{chat};ai.response.id=r"))), "r");
    assert_eq!(id(&span("x", &format!("{chat};request_id=r"))).len(), 48);
    assert_eq!(id(&span("x", chat)), "5b8efff798038103d269b633813fc60ceee19b7ec3c1b174");
    let long = "r".repeat(300);
    assert_eq!(id(&span("x", &format!("{chat};gen_ai.response.id={long}"))).len(), 64);
    let bare = |lines: &str| span("x", lines).replace("5B8EFFF798038103D269B633813FC60C", "");
    let hash = id(&bare(&format!("{chat};a=1;b=x")));
    assert_eq!((hash.len(), &hash), (32, &id(&bare(&format!("b=x;a=1.0;{chat}")))));
    assert_ne!(hash, id(&bare(&format!("{chat};a=1;b=y"))));
    assert_ne!(hash, id(&bare(&format!("{chat};a=1"))));
    assert_ne!(hash, id(&bare(&format!("{chat};a=1;b=x")).replace("833273", "833274")));
}

#[test]
fn a_time_is_the_end_of_a_span_and_never_taken_for_another_unit() {
    let chat = span("x", "gen_ai.operation.name=chat");
    let ts = |span: &str| event_of(OtlpSignal::Traces, "s", span).unwrap().get("ts").cloned();
    let end = "\"endTimeUnixNano\":\"1795436673178833273\"";
    assert_eq!(ts(&chat).as_deref(), Some("1795436673178833"));
    assert_eq!(
        ts(&chat.replace(end, "\"endTimeUnixNano\":\"0\"")).as_deref(),
        Some("1795436673164042")
    );
    let early = chat.replace(end, "\"endTimeUnixNano\":\"1795436673178833\"");
    assert_eq!(ts(&early).as_deref(), Some("1795436.673178833"));
    let none = chat.replace(end, "\"a\":0").replace("startTimeUnixNano", "b");
    assert_eq!(ts(&none), None);
}
