//! Chats are rendered as the reference renders them, byte for byte. The goldens come from `scripts/goldens/chat_templates.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formers::preprocess::text::chat::{ChatOptions, ChatTemplates, Continue, WallClock, render};
use formers::preprocess::text::{EncodeOptions, Files, Folder, Tokenizer};
use formers::{ErrorKind, Result};
use serde_json::{Value, json};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/chat")
}

fn answers() -> Value {
    serde_json::from_slice(&std::fs::read(goldens().join("answers.json")).unwrap()).unwrap()
}

/// A checkpoint of texts in memory, with the tokenizer that the goldens' program makes.
struct Memory(BTreeMap<String, String>);

impl Memory {
    fn new(files: &Value) -> Self {
        let vocabulary = json!({"<unk>": 0, "<s>": 1, "</s>": 2});
        let tokenizer = json!({"version": "1.0", "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}});
        let mut config = json!({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "TokenizersBackend"});
        let mut texts = BTreeMap::from([("tokenizer.json".to_owned(), tokenizer.to_string())]);
        for (name, file) in files.as_object().unwrap() {
            match file {
                Value::Object(fields) => config.as_object_mut().unwrap().extend(fields.clone()),
                text => {
                    texts.insert(name.clone(), text.as_str().unwrap().to_owned());
                }
            }
        }
        texts.insert("tokenizer_config.json".to_owned(), config.to_string());
        Self(texts)
    }

    fn tokenizer(&self) -> Tokenizer {
        Tokenizer::from_files(self, &Value::Null).unwrap()
    }
}

impl Files for Memory {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(name).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        Ok(self.0.keys().filter(|name| name.starts_with(&format!("{folder}/"))).cloned().collect())
    }
}

fn plain() -> Tokenizer {
    Memory::new(&json!({})).tokenizer()
}

/// The keyword arguments of `apply_chat_template`.
fn options(arguments: &Value) -> ChatOptions {
    let mut options = ChatOptions { now: WallClock::at((2025, 3, 7), (14, 5, 9)), ..ChatOptions::default() };
    let list = |value: &Value| value.as_array().cloned();
    for (name, value) in arguments.as_object().unwrap() {
        match name.as_str() {
            "chat_template" => options.chat_template = value.as_str().map(str::to_owned),
            "tools" => options.tools = list(value),
            "documents" => options.documents = list(value),
            "add_generation_prompt" => options.add_generation_prompt = value.as_bool().unwrap(),
            "continue_final_message" => {
                options.continue_final_message = Some(value.as_str().map_or(Continue::Content, |field| Continue::Field(field.to_owned())));
            }
            _ => {
                options.kwargs.insert(name.clone(), value.clone());
            }
        }
    }
    options
}

/// What differs from the golden, if anything does.
fn difference(name: &str, rendered: Result<String>, golden: &Value) -> Option<String> {
    match (rendered, golden["text"].as_str(), golden["error"].as_str()) {
        (Ok(text), Some(wanted), _) if text == wanted => None,
        (Ok(text), Some(wanted), _) => Some(format!("{name}\n  wanted {wanted:?}\n  got    {text:?}")),
        (Ok(text), None, error) => Some(format!("{name}\n  wanted error {error:?}\n  got    {text:?}")),
        (Err(error), Some(wanted), _) => Some(format!("{name}\n  wanted {wanted:?}\n  got    error {error}")),
        (Err(error), None, Some(wanted)) => {
            let raised = wanted.strip_prefix("TemplateError: ");
            let same = raised.is_none_or(|raised| error.to_string().ends_with(raised));
            (!same).then(|| format!("{name}\n  wanted {wanted}\n  got    {error}"))
        }
        (Err(_), None, None) => Some(format!("{name}: the golden has no answer")),
    }
}

fn report(differences: Vec<String>) {
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn conversations_render_as_the_reference_renders_them() {
    let (answers, tokenizer) = (answers(), plain());
    let mut differences = Vec::new();
    for conversation in answers["conversations"].as_array().unwrap() {
        let messages = conversation["messages"].as_array().unwrap();
        let options = options(&conversation["options"]);
        for (template, golden) in conversation["results"].as_object().unwrap() {
            let source = std::fs::read_to_string(goldens().join(format!("templates/{template}.jinja"))).unwrap();
            let rendered = render(&source, tokenizer.special_tokens(), messages, &options);
            differences.extend(difference(&format!("{template}, {}", conversation["name"]), rendered, golden));
        }
    }
    report(differences);
}

#[test]
fn expressions_evaluate_as_the_reference_evaluates_them() {
    let (answers, tokenizer) = (answers(), plain());
    let options = options(&answers["variables"]);
    let messages = [json!({"role": "user", "content": "hi"})];
    let expressions = answers["expressions"].as_array().unwrap();
    let check = |golden: &Value| {
        let template = golden["template"].as_str().unwrap();
        difference(template, render(template, tokenizer.special_tokens(), &messages, &options), golden)
    };
    report(expressions.iter().filter_map(check).collect());
}

#[test]
fn templates_are_chosen_as_the_reference_chooses_them() {
    let messages = [json!({"role": "user", "content": "hi"})];
    let mut differences = Vec::new();
    for golden in answers()["choices"].as_array().unwrap() {
        let files = Memory::new(&golden["files"]);
        let templates = ChatTemplates::from_files(&files).unwrap();
        let rendered = templates.apply(files.tokenizer().special_tokens(), &messages, &options(&golden["options"]));
        differences.extend(difference(&format!("{} {}", golden["files"], golden["options"]), rendered, golden));
    }
    report(differences);
}

/// The error of a template.
fn failure(template: &str) -> formers::Error {
    let messages = [json!({"role": "user", "content": "hi"})];
    render(template, plain().special_tokens(), &messages, &ChatOptions::default()).unwrap_err()
}

#[test]
fn templates_that_do_not_end_or_fill_memory_are_stopped() {
    let started = std::time::Instant::now();
    let doubled = "{% set ns = namespace(x={}, y={}) %}\
        {% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}";
    let long = "{% set x = 'a' * 1000000 %}{% set l = range(90000)|list %}{% for i in range(100000) %}";
    let built = [
        (doubled, "{{ ns.x }}"),
        (doubled, "{{ ns.x|tojson }}"),
        (doubled, "{{ ns.x|pprint }}"),
        (doubled, "{{ ns.x == ns.y }}"),
        (long, "{{ -1 in l }}{% endfor %}"),
        (long, "{% set y = l|sort %}{% endfor %}"),
        (long, "{{ (l|tojson)|length }}{% endfor %}"),
        (long, "{% set y = x.upper() %}{% endfor %}"),
        (long, "{{ x.find('b') }}{% endfor %}"),
        (long, "{% set y = x|reverse %}{% endfor %}"),
        (long, "{{ 'b' in x }}{% endfor %}"),
        (long, "{{ x == x ~ '' }}{% endfor %}"),
        (long, "{{ x[::-1]|wordcount }}{% endfor %}"),
        (long, "{% if l == l|list %}{% endif %}{% endfor %}"),
        (long, "{{ l|map('string')|join }}{% endfor %}"),
    ];
    for template in built.map(|(start, end)| format!("{start}{end}")) {
        let started = std::time::Instant::now();
        let error = failure(&template);
        assert_eq!(error.kind(), ErrorKind::Request, "{template}: {error}");
        assert!(error.to_string().contains("it does not end, or makes too much text"), "{template}: {error}");
        assert!(started.elapsed().as_secs() < 20, "{template}: {:?}", started.elapsed());
    }
    for template in [
        "{{ [1]|batch(10**10, 'x')|list|length }}",
        "{{ [1]|slice(10**10)|list|length }}",
        "{{ 2 ** (10 ** 9) }}",
        "{{ (10 ** 99999) ** 9999 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x]|join %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x]|batch(1)|list %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = namespace(x=dict(a=ns.x)) %}{% endfor %}",
        "{{ 'a' * 99999999999 }}",
        "{{ [1] * 99999999999 }}",
        "{{ 'a'.center(99999999999) }}",
        "{{ 'a\\nb'|indent(99999999999) }}",
        "{{ [1]|tojson(indent=99999999999) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '{:99999999999}'.format(1) }}",
    ] {
        let error = failure(template);
        assert_eq!(error.kind(), ErrorKind::Request, "{template}: {error}");
        assert!(error.to_string().contains("chat template"), "{template}: {error}");
    }
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

#[test]
fn what_holds_itself_is_printed_as_python_prints_it() {
    let cycle = "{% set ns = namespace() %}{% set ns.a = ns %}";
    let messages = [json!({"role": "user", "content": "hi"})];
    let tokenizer = plain();
    let rendered = |template: &str| render(&format!("{cycle}{template}"), tokenizer.special_tokens(), &messages, &ChatOptions::default());
    assert_eq!(rendered("{{ ns }}").unwrap(), "<Namespace {'a': <Namespace {...}>}>");
    assert_eq!(rendered("{{ ns.a|string == ns ~ '' }}").unwrap(), "True");
    assert_eq!(rendered("{{ {ns: 1}[ns] }}").unwrap(), "1");
    assert_eq!(rendered("{% set ns.a = [ns] %}{{ ns }}").unwrap(), "<Namespace {'a': [<Namespace {...}>]}>");
    assert_eq!(rendered("{{ [ns.a, ns]|sort|length }}").unwrap(), "2");
    let error = rendered("{{ ns < ns }}").unwrap_err().to_string();
    assert!(error.contains("'<' not supported between instances of 'TemplateNamespace' and 'TemplateNamespace'"), "{error}");
    assert!(rendered("{{ ns|tojson }}").unwrap_err().to_string().contains("not JSON serializable"));
}

/// What is a key is read as a whole to find its place: that is paid for, and no key that is not the same is compared with it.
#[test]
fn keys_cost_what_is_read_of_them() {
    let started = std::time::Instant::now();
    // Fifty tuples, each of which holds the one before twice: 2^50 items.
    let doubled = "{% set ns = namespace(x=1) %}{% for i in range(50) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}";
    let long = "{% set s = 'a' * 60000000 %}{% for i in range(90000) %}";
    for (start, end) in [
        (doubled, "{{ {ns.x: 1}|length }}"),
        (doubled, "{{ {1: 1}[ns.x] }}"),
        (doubled, "{{ {1: 1}.get(ns.x) }}"),
        (doubled, "{{ ns.x in {1: 1} }}"),
        (doubled, "{{ [ns.x]|unique|list|length }}"),
        (doubled, "{{ dict([(ns.x, 1)])|length }}"),
        (doubled, "{{ {}.fromkeys([ns.x])|length }}"),
        (long, "{% set d = {s: 1} %}{% endfor %}"),
        (long, "{% set d = dict([(s, 1)]) %}{% endfor %}"),
        (long, "{% set d = {}.fromkeys([s]) %}{% endfor %}"),
    ] {
        let error = failure(&format!("{start}{end}"));
        assert!(error.to_string().contains("it does not end"), "{end}: {error}");
    }
    let messages = [json!({"role": "user", "content": "hi"})];
    let tokenizer = plain();
    let rendered = |template: &str| render(template, tokenizer.special_tokens(), &messages, &ChatOptions::default()).unwrap();
    let near = "{% set t %}{% for i in range(10000) %}{{ '9' * 400 ~ i }},{% endfor %}1{% endset %}{{ dict.fromkeys(t.split(',')|map('int'))|length }}";
    assert_eq!(rendered(near), "10001");
    let same = "{{ {2**53: 1, 2.0**53: 2, 2**53 + 1: 3, 10**22: 4, 1e22: 5, 10**23: 6, 1e23: 7, 10**400: 8, 1e400: 9, -1e400: 10} }}";
    let wanted = format!(
        "{{9007199254740992: 2, 9007199254740993: 3, 10000000000000000000000: 5, 100000000000000000000000: 6, 1e+23: 7, 1{}: 8, inf: 9, -inf: 10}}",
        "0".repeat(400)
    );
    assert_eq!(rendered(same), wanted);
    assert!(started.elapsed().as_secs() < 100, "{:?}", started.elapsed());
}

/// Names of arguments are told apart without comparing each with each, and so many branches are no template.
#[test]
fn many_names_are_read_in_time() {
    let started = std::time::Instant::now();
    let messages = [json!({"role": "user", "content": "hi"})];
    let tokenizer = plain();
    let rendered = |template: &str| render(template, tokenizer.special_tokens(), &messages, &ChatOptions::default());
    let names: Vec<String> = (0..50_000).map(|index| format!("a{index}=1")).collect();
    assert_eq!(rendered(&format!("{{{{ dict({})|length }}}}", names.join(","))).unwrap(), "50000");
    assert_eq!(rendered("{{ dict(a=1, **dict.fromkeys(range(90000)|map('string')))|length }}").unwrap(), "90001");
    assert_eq!(rendered("{% macro m(a, b) %}{{ a ~ b ~ kwargs|length }}{% endmacro %}{{ m(a=1, **{'b': 2, 'c': 3}) }}").unwrap(), "121");
    let error = rendered("{{ dict(a=1, **{'a': 2}) }}").unwrap_err().to_string();
    assert!(error.contains("got multiple values for keyword argument 'a'"), "{error}");
    let error = rendered("{{ dict(a=1, a=2) }}").unwrap_err().to_string();
    assert!(error.contains("keyword argument repeated: a"), "{error}");
    let branches = |count: usize| (0..count).map(|index| format!("{{% if x %}}{{% set a{index} = 1 %}}{{% endif %}}")).collect::<String>();
    assert_eq!(rendered(&format!("{}.", branches(300))).unwrap(), ".");
    let error = rendered(&branches(25_000)).unwrap_err().to_string();
    assert!(error.contains("too many branches"), "{error}");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// What a template makes becomes tokens, all of it.
#[test]
fn prompts_are_about_as_long_as_what_they_are_made_of() {
    let tokenizer = plain();
    let rendered = |template: &str, content: &str| {
        let messages = [json!({"role": "user", "content": content})];
        render(template, tokenizer.special_tokens(), &messages, &ChatOptions::default())
    };
    assert_eq!(rendered("{{ 'a' * 1000000 }}", "hi").unwrap().len(), 1_000_000);
    for template in ["{{ 'a' * 1100000 }}", "{% for i in range(90000) %}a line of it\n{% endfor %}", "{{ ('<!--' * 500000)|striptags }}"] {
        let error = rendered(template, "hi").unwrap_err();
        assert!(error.kind() == ErrorKind::Request && error.to_string().contains("more than any chat needs"), "{template}: {error}");
    }
    assert_eq!(rendered("{{ messages[0].content * 8 }}", &"a".repeat(200_000)).unwrap().len(), 1_600_000);
    let text = "a".repeat(1_000_000);
    assert_eq!(rendered(&text, "hi").unwrap(), text);
    let error = rendered(&"a".repeat(1_100_000), "hi").unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("1048576 are the most"), "{error}");
}

/// A word of any length is parted in one walk, and hyphens are gone through once.
#[test]
fn long_words_are_wrapped_in_one_walk() {
    let started = std::time::Instant::now();
    let messages = [json!({"role": "user", "content": "hi"})];
    let tokenizer = plain();
    let rendered = |template: &str| render(template, tokenizer.special_tokens(), &messages, &ChatOptions::default()).unwrap();
    assert_eq!(rendered("{{ ('a' * 1000000)|wordwrap(1)|length }}"), "1999999");
    assert_eq!(rendered("{{ ('-' * 1000000)|wordwrap(10)|length }}"), "1099999");
    assert_eq!(rendered("{{ 'ab-cd--ef gh---'|wordwrap(4) }}"), "ab-\ncd--\nef g\nh---");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// Each would nest what lives as deep as a template has steps; dropping it must not take as much stack.
#[test]
fn values_that_nest_without_end_are_dropped() {
    for template in [
        "{% set ns = namespace(x=0) %}{% for i in range(99999) %}{% set ns.x = {'a': ns.x}.items %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = ns.x|batch(1) %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = (ns.x, 1) %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = cycler(ns.x) %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% for j in [ns.x] %}{% set ns.x = loop %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% for j in [1] %}{{ loop.changed(ns.x) }}{% set ns.x = loop %}{% endfor %}{% endfor %}",
    ] {
        let error = failure(template);
        assert!(error.to_string().contains("it does not end"), "{template}: {error}");
    }
    let messages = [json!({"role": "user", "content": "hi"})];
    let chained = "{% set ns = namespace(x=0) %}{% macro keep(v) %}{% macro inner() %}{{ v }}{% endmacro %}{% set ns.x = inner %}{% endmacro %}\
        {% for i in range(20000) %}{{ keep(ns.x) }}{% endfor %}{{ ns.x is callable }}";
    assert_eq!(render(chained, plain().special_tokens(), &messages, &ChatOptions::default()).unwrap(), "True");
    let linked = "{% set ns = namespace(l=[]) %}{% for i in range(2000) %}{% set ns.l = [namespace(n=0)] + ns.l[:1] %}\
        {% if i %}{% set a = ns.l[1] %}{% set b = ns.l[0] %}{% set a.n = b %}{% endif %}{% endfor %}{{ ns.l|length }}";
    assert_eq!(render(linked, plain().special_tokens(), &messages, &ChatOptions::default()).unwrap(), "2");
}

#[test]
fn deep_values_are_compared_and_printed() {
    let messages = [json!({"role": "user", "content": "hi"})];
    let deep = "{% set ns = namespace(x=[], y=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}";
    let template = format!("{deep}{{{{ ns.x == ns.y }}}}{{{{ (ns.x|string)|length > 400 }}}}");
    assert_eq!(render(&template, plain().special_tokens(), &messages, &ChatOptions::default()).unwrap(), "TrueTrue");
}

#[test]
fn errors_name_the_place() {
    let error = failure("line one\n{% if messages %}\n{{ messages[ }}");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("chat template, line 3:"), "{error}");
    let error = failure("line one\n\n{{ messages[0].nothing.more }}");
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().starts_with("chat template, line 3:"), "{error}");
    let error = failure("{{ raise_exception('No such role') }}");
    assert_eq!(error.to_string(), "messages: the chat template raises: No such role");
}

#[test]
fn requests_that_no_template_can_render_are_errors() {
    let tokenizer = plain();
    let render = |messages: Value, arguments: Value| {
        render("{{ messages }}", tokenizer.special_tokens(), messages.as_array().unwrap(), &options(&arguments)).unwrap_err().to_string()
    };
    let user = json!([{"role": "user", "content": "hi"}]);
    assert!(render(json!([]), json!({})).starts_with("messages: "));
    assert!(render(json!(["hi"]), json!({})).starts_with("messages[0]: "));
    assert!(render(user.clone(), json!({"tools": [{"name": "f"}, 1]})).starts_with("tools[1]: names no function"));
    assert!(render(user.clone(), json!({"documents": [{}, 1]})).starts_with("documents[1]: not an object"));
    assert!(render(user.clone(), json!({"documents": ["text"]})).starts_with("documents[0]: "));
    assert!(render(user, json!({"continue_final_message": "thinking"})).starts_with("continue_final_message: "));
}

#[test]
fn templates_of_a_folder_are_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), "d").unwrap();
    std::fs::write(folder.path().join("additional_chat_templates/tool_use.jinja"), "t").unwrap();
    let templates = ChatTemplates::from_files(&Folder::new(folder.path())).unwrap();
    assert_eq!(templates.names(), ["default", "tool_use"]);
    assert_eq!((templates.choose(None, true).unwrap(), templates.choose(None, false).unwrap()), ("t", "d"));
    assert!(ChatTemplates::from_value(json!({"a": 1})).is_err());
    let none = ChatTemplates::from_files(&Memory(BTreeMap::new())).unwrap();
    assert!(none.is_empty() && none.choose(None, false).is_err());
}

/// A checkpoint of files in memory, by their names.
fn memory(files: &[(&str, &str)]) -> Memory {
    Memory(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn templates_of_older_processors_are_found_last() {
    let legacy = ("chat_template.json", r#"{"chat_template": "old"}"#);
    let chosen = |files: &[(&str, &str)]| ChatTemplates::from_files(&memory(files)).unwrap().choose(None, false).unwrap().to_owned();
    assert_eq!(chosen(&[legacy]), "old");
    assert_eq!(chosen(&[legacy, ("tokenizer_config.json", "{}")]), "old");
    assert_eq!(chosen(&[legacy, ("tokenizer_config.json", r#"{"chat_template": "new"}"#)]), "new");
    assert_eq!(chosen(&[legacy, ("chat_template.jinja", "own")]), "own");
    let error = ChatTemplates::from_files(&memory(&[("chat_template.json", "{")])).unwrap_err();
    assert!(error.to_string().starts_with("chat_template.json: "), "{error}");
}

#[test]
fn errors_in_a_template_name_its_file() {
    let bad = "one\n{{ messages[ }}";
    let config = |template: Value| json!({"chat_template": template}).to_string();
    let one = config(json!(bad));
    let named = config(json!([{"name": "default", "template": "d"}, {"name": "tool_use", "template": bad}]));
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("chat_template.jinja", bad)], "chat_template.jinja: chat template, line 2: syntax error"),
        (&[("additional_chat_templates/tool_use.jinja", bad)], "additional_chat_templates/tool_use.jinja: chat template, line 2: "),
        (&[("tokenizer_config.json", &one)], "tokenizer_config.json: chat template, line 2: "),
        (&[("tokenizer_config.json", &named)], "tokenizer_config.json: tool_use: chat template, line 2: "),
        (&[("chat_template.json", &one)], "chat_template.json: chat template, line 2: "),
    ];
    let messages = [json!({"role": "user", "content": "hi"})];
    let options = ChatOptions { tools: Some(vec![json!({"name": "f"})]), ..ChatOptions::default() };
    for (files, wanted) in cases {
        let error = ChatTemplates::from_files(&memory(files)).unwrap().apply(plain().special_tokens(), &messages, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
    // A template of the request has no file.
    let options = ChatOptions { chat_template: Some(bad.to_owned()), ..ChatOptions::default() };
    let error = ChatTemplates::from_value(json!("x")).unwrap().apply(plain().special_tokens(), &messages, &options).unwrap_err();
    assert!(error.to_string().starts_with("chat template, line 2: "), "{error}");
}

/// What becomes of control tokens that are text is in the goldens of `decision` and of its chats (`tests/parity.rs`).
#[test]
fn control_tokens_that_cannot_be_text_are_errors() {
    let vocabulary = json!({"<unk>": 0, "<s>": 1, "</s>": 2});
    let model = json!({"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"});
    let words = json!({"version": "1.0", "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": model}).to_string();
    let files = Memory::new(&json!({"tokenizer_config.json": {"chat_template": "{{ messages[0].content }}"}, "tokenizer.json": words}));
    let (templates, tokenizer) = (ChatTemplates::from_files(&files).unwrap(), files.tokenizer());
    let encode = |text: &str, sanitize_control_tokens: bool| {
        let options = ChatOptions { sanitize_control_tokens, ..ChatOptions::default() };
        let messages = [json!({"role": "user", "content": text})];
        templates.encode(&tokenizer, &messages, &options, &EncodeOptions::default()).map(|encoding| encoding.ids)
    };
    assert_eq!(encode("<s>hi</s>", false).unwrap(), [1, 0, 2]);
    // This vocabulary has them as words.
    let error = encode("hi</s>", true).unwrap_err();
    assert!(error.to_string().starts_with("sanitize_control_tokens: \"</s>\" in the chat cannot be told from"), "{error}");
    assert_eq!(encode("hi", true).unwrap(), [0]);

    let options = ChatOptions { sanitize_control_tokens: true, ..ChatOptions::default() };
    let error = templates.apply(tokenizer.special_tokens(), &[json!({"role": "user", "content": "hi"})], &options).unwrap_err();
    assert!(error.to_string().starts_with("sanitize_control_tokens: "), "{error}");
    let error =
        Tokenizer::from_files(&Memory::new(&json!({"tokenizer_config.json": {"chat_control_tokens": "<s>"}})), &Value::Null).unwrap_err();
    assert!(error.to_string().starts_with("tokenizer_config.json: chat_control_tokens: "), "{error}");
}
