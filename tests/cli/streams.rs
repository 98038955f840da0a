//! Inputs as a stream, answers line by line, and what interrupts them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::program::{CLASSIFIER, Program, golden, text};

fn lines(bytes: &[u8]) -> Vec<Value> {
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{}", text(bytes));
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Running {
    child: Child,
    answers: mpsc::Receiver<String>,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, answers) = mpsc::channel();
        let out = child.stdout.take().unwrap();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, answers }
    }

    fn write(&mut self, text: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text).and_then(|()| stdin.flush()).unwrap();
    }

    fn answer(&self) -> Value {
        serde_json::from_str(&self.answers.recv_timeout(Duration::from_secs(60)).unwrap()).unwrap()
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        self.signal("-INT");
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().unwrap();
        panic!("it does not end");
    }
}

#[test]
fn an_answer_comes_as_soon_as_its_input() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let alone = |input: &str| {
        program.json(&["run", "text-classification", "-m", &model, "-r", "-"], json!({"inputs": [input, "x"]}).to_string().as_bytes())[0]
            .clone()
    };
    let mut running = Running::new(program.command(&["run", "text-classification", "-m", &model, "-", "--jsonl"]));
    for input in ["good", "bad"] {
        running.write(format!("{input}\n").as_bytes());
        // Standard input stays open: nothing else can have made it come.
        assert_eq!(running.answer(), alone(input));
    }
    running.write(b"no \xff text\nthe end");
    drop(running.child.stdin.take());
    let error = json!({"error": {"kind": "request", "message": "byte 3 is not UTF-8", "input": 2, "file": "standard input", "line": 3}});
    assert_eq!(running.answer(), error);
    assert_eq!(running.answer(), alone("the end"));
    assert_eq!(running.code(), Some(3));
}

#[test]
fn lines_of_json() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |stdin: &str, more: &[&str]| {
        program.run(&[&["run", "text-classification", "-m", &model, "--jsonl-input"], more].concat(), stdin.as_bytes())
    };
    let answer = |request: Value| program.json(&["run", "text-classification", "-m", &model, "-r", "-"], request.to_string().as_bytes());
    let input = "\"good\"\n\n{\"text\": \"good\", \"text_pair\": \"film\"}\n{\"text\"\n{\"inputs\": \"bad\", \"parameters\": {\"top_k\": 2}}\n[1]\n";
    let output = run(input, &["--jsonl"]);
    assert_eq!(output.status.code(), Some(3));
    let lines = lines(&output.stdout);
    assert_eq!(lines.len(), 5);
    let list = answer(json!({"inputs": ["good", {"text": "good", "text_pair": "film"}]}));
    assert_eq!((&lines[0], &lines[1]), (&list[0], &list[1]));
    let place = |line: &Value| (line["error"]["line"].as_u64(), line["error"]["file"].as_str().map(str::to_owned));
    assert!(lines[2]["error"]["message"].as_str().unwrap().starts_with("not valid JSON: "), "{}", lines[2]);
    assert_eq!(place(&lines[2]), (Some(4), Some("standard input".into())));
    assert_eq!(lines[3], answer(json!({"inputs": "bad", "parameters": {"top_k": 2}})));
    assert_eq!(place(&lines[4]), (Some(6), Some("standard input".into())));

    // As one document, too.
    assert_eq!(
        serde_json::from_slice::<Value>(&run("\"good\"\n{\"text\": \"good\", \"text_pair\": \"film\"}\n", &[]).stdout).unwrap(),
        list
    );

    // Fields that all lines share come by --param; without them a line of text is no input, which is told at once.
    let reader = golden("bert/question_answering").to_str().unwrap().to_owned();
    let run = |stdin: &str, more: &[&str]| {
        program.run(&[&["run", "question-answering", "-m", &reader, "--jsonl"], more].concat(), stdin.as_bytes())
    };
    let asked = program.json(&["run", "question-answering", "-m", &reader, "Who?", "What?", "-p", "context=Ada wrote it."], b"");
    let by_text = run("Who?\nWhat?\n", &["-", "-p", "context=Ada wrote it."]);
    let by_json = run(
        "{\"question\": \"Who?\"}\n{\"question\": \"What?\", \"context\": \"Ada wrote it.\"}\n",
        &["--jsonl-input", "-p", "context=Ada wrote it."],
    );
    for output in [by_text, by_json] {
        let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(json!(lines), asked, "{}", text(&output.stderr));
    }
    let output = run("Who?\n", &["-"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--jsonl-input"), "{}", text(&output.stderr));
}

#[test]
fn arguments_and_requests_line_by_line() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |more: &[&str], stdin: &str| {
        lines(&program.run(&[&["run", "text-classification", "-m", &model, "--jsonl"], more].concat(), stdin.as_bytes()).stdout)
    };
    let list = program.json(&["run", "text-classification", "-m", &model, "good", "bad"], b"");
    assert_eq!(json!(run(&["good", "bad"], "")), list);
    assert_eq!(json!(run(&["good", "-"], "bad\n")), list);
    assert_eq!(json!(run(&["-r", "-"], r#"{"inputs": ["good", "bad"]}"#)), list);
    assert_eq!(run(&["good"], ""), [list[0].clone()]);
    // However many run at once, the order is that of the inputs.
    let many: String = (0..300).map(|i| format!("{}\n", "word ".repeat(i % 40 + 1))).collect();
    let one_by_one = run(&["-", "-p", "batch_size=1"], &many);
    let together = run(&["-"], &many);
    assert_eq!((one_by_one.len(), together.len()), (300, 300));
    for (a, b) in one_by_one.iter().zip(&together) {
        crate::goldens::same(a, b, "line").unwrap();
    }
}

#[test]
fn texts_in_other_codings() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = |stdin: &[u8]| lines(&program.run(&["run", "text-classification", "-m", &model, "-", "--jsonl"], stdin).stdout);
    let content = "good film\r\nschön\r\n";
    let expected = run("good film\nschön\n".as_bytes());
    let utf16 =
        |big: bool| content.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect::<Vec<u8>>();
    for bytes in [
        content.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", content.as_bytes()].concat(),
        [&b"\xff\xfe"[..], &utf16(false)].concat(),
        [&b"\xfe\xff"[..], &utf16(true)].concat(),
        utf16(false),
        utf16(true),
    ] {
        assert_eq!(run(&bytes), expected, "{bytes:?}");
    }
    // A request as PowerShell pipes it.
    let request: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("{\"inputs\": \"good film\"}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let answer = program.json(&["run", "text-classification", "-m", &model, "--request", "-"], &request);
    assert_eq!(answer[0], expected[0]);
}

#[test]
fn parameters_from_files_and_beside_requests() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let file = |name: &str, content: &[u8]| {
        let path = program.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = |arguments: &[&str], stdin: &[u8]| program.json(&[&["run", "text-classification", "-m", &model], arguments].concat(), stdin);
    let two = run(&["good", "-p", "top_k=2"], b"");
    assert_eq!(run(&["good", "-p", &format!("top_k=@{}", file("k.json", b" 2 "))], b""), two);
    assert_eq!(run(&["good", "-p", &format!("top_k=@{}", file("k", b"2\n"))], b""), two);
    assert_eq!(run(&["good", "-p", "top_k=@-"], b"2"), two);
    // Beside a request, and before what that says.
    assert_eq!(run(&["-r", "-", "-p", "top_k=2"], br#"{"inputs": "good", "parameters": {"top_k": 1}}"#), two);

    let pair = run(&["good", "-p", "text_pair=7 films"], b"");
    assert_eq!(run(&["good", "-p", &format!("text_pair=@{}", file("pair.txt", b"\xef\xbb\xbf7 films\r\n"))], b""), pair);
    // A text is one, whatever it looks like; and JSON in quotes may begin with an @.
    let seven = run(&["good", "-p", "text_pair=\"7\""], b"");
    assert_eq!(run(&["good", "-p", &format!("text_pair=@{}", file("seven.txt", b"7\n"))], b""), seven);
    assert_eq!(run(&["good", "-p", "text_pair=\"@7\""], b""), run(&["-r", "-"], br#"{"inputs": {"text": "good", "text_pair": "@7"}}"#));

    let fails = |arguments: &[&str], parts: &[&str]| {
        program.fails(&[&["run", "text-classification", "-m", &model], arguments].concat(), b"", parts)
    };
    fails(&["a", "-p", "top_k=@/no/such/file"], &["/no/such/file"]);
    fails(&["a", "-p", &format!("top_k=@{}", file("bad.json", b"{"))], &["--param top_k: ", "bad.json", "not valid JSON"]);
    fails(&["a", "-p", &format!("top_k=@{}", file("bad.txt", b"\xff"))], &["bad.txt", "byte 0 is not UTF-8"]);
    fails(&["-", "-p", "top_k=@-"], &["standard input can be read only once"]);
}

#[test]
fn a_folder_stands_for_its_files() {
    let program = Program::new();
    let folder = program.folder.path().join("inputs");
    fs::create_dir_all(folder.join("deeper")).unwrap();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    for (name, content) in [
        ("b.txt", &b"bad\r\n"[..]),
        ("a.md", b"good\n"),
        ("c.json", br#"{"text": "good", "text_pair": "film"}"#),
        ("d.jsonl", b"\"one\"\nno JSON\n\"two\"\n"),
        ("e.TXT", b"\xff"),
        (".hidden.txt", b"x"),
        ("notes.pdf", b"x"),
        ("deeper/f.txt", b"x"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
    let path = format!("{}/", folder.display());
    let output = program.run(&["run", "text-classification", "-m", &model, &path, "--jsonl"], b"");
    assert_eq!(output.status.code(), Some(3));
    let answers = lines(&output.stdout);
    let request = json!({"inputs": ["good", "bad", {"text": "good", "text_pair": "film"}, "one", "two"]}).to_string();
    let expected = program.json(&["run", "text-classification", "-m", &model, "-r", "-"], request.as_bytes());
    assert_eq!(answers.len(), 7, "{answers:?}");
    for (answer, place) in [(0, 0), (1, 1), (2, 2), (3, 3), (5, 4)] {
        crate::goldens::same(&expected[place], &answers[answer], "answer").unwrap();
    }
    assert!(answers[4]["error"]["file"].as_str().unwrap().ends_with("d.jsonl") && answers[4]["error"]["line"] == 2, "{}", answers[4]);
    assert!(
        answers[6]["error"]["file"].as_str().unwrap().ends_with("e.TXT") && answers[6]["error"].get("line").is_none(),
        "{}",
        answers[6]
    );
    // As one document the same; and the text of an argument is a text, whatever folders there are.
    let whole = program.run(&["run", "text-classification", "-m", &model, &path], b"");
    let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!(whole.as_array().unwrap().len(), 7);
    let mut command = program.command(&["run", "text-classification", "-m", &model, "inputs"]);
    let output = command.current_dir(program.folder.path()).output().unwrap();
    assert!(output.status.success() && text(&output.stdout).contains("label"));

    // Pictures.
    let pictures = program.folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    let is_png = |path: &Path| path.extension().is_some_and(|end| end == "png");
    let picture = fs::read_dir(golden("media")).unwrap().map(|entry| entry.unwrap().path()).find(|path| is_png(path)).unwrap();
    fs::copy(&picture, pictures.join("2.png")).unwrap();
    fs::write(pictures.join("1.JPG"), "no picture").unwrap();
    fs::write(pictures.join("readme.txt"), "").unwrap();
    let vit = golden("vit/image_classification").to_str().unwrap().to_owned();
    let output = program.run(&["run", "image-classification", "-m", &vit, pictures.to_str().unwrap(), "--jsonl"], b"");
    let answers = lines(&output.stdout);
    assert!(answers[0]["error"]["kind"] == "media" && answers[1].is_array() && answers.len() == 2, "{answers:?}");
    let empty = program.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    program.fails(
        &["run", "image-classification", "-m", &vit, empty.to_str().unwrap()],
        b"",
        &["no files for image-classification", "png"],
    );
}

#[test]
fn answers_into_files() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let folder = program.folder.path();
    let file = folder.join("out.json");
    let name = file.to_str().unwrap();
    let run = |arguments: &[&str], stdin: &[u8]| program.run(&[&["run", "text-classification", "-m", &model], arguments].concat(), stdin);
    let list = program.json(&["run", "text-classification", "-m", &model, "good", "bad"], b"");
    fs::write(&file, "old").unwrap();
    let output = run(&["good", "bad", "--output", name], b"");
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), list);
    // One that fails leaves the old one, and nothing beside it.
    assert_eq!(run(&["good", "-o", name, "-p", "top_kk=1"], b"").status.code(), Some(2));
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), list);
    let left: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains(".part")), "{left:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.join("link.json");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(run(&["good", "-o", link.to_str().unwrap()], b"").status.success());
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap()[0]["label"].is_string());
    }

    // Lines are added to what the file has, on a line of their own.
    let file = folder.join("out.jsonl");
    let name = file.to_str().unwrap();
    fs::write(&file, "{\"cut").unwrap();
    assert!(run(&["-", "--jsonl", "-o", name], b"good\n").status.success());
    assert!(run(&["bad", "--jsonl", "-o", name], b"").status.success());
    let written = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "{\"cut");
    let answers: Vec<Value> = lines[1..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(answers), list);

    for (name, part) in
        [("/no/such/folder/out", "--output /no/such/folder/out: there is no folder"), (folder.to_str().unwrap(), "it is a folder")]
    {
        program.fails(&["run", "text-classification", "-m", &model, "a", "-o", name], b"", &[part]);
    }
    for (arguments, part) in [
        (&["--jsonl", "-o", "/no/such/folder/out"][..], "there is no folder"),
        (&["--jsonl", "-o", folder.to_str().unwrap()], "it is a folder"),
    ] {
        let output = run(&[&["a"], arguments].concat(), b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
    if cfg!(target_os = "linux") {
        for more in [&[][..], &["--jsonl"]] {
            let output = run(&[&["a", "-o", "/dev/full"], more].concat(), b"");
            assert_eq!(output.status.code(), Some(1));
            assert!(text(&output.stderr).starts_with("error: --output /dev/full: No space left"), "{}", text(&output.stderr));
        }
    }
}

#[test]
fn a_reader_that_goes_away_has_seen_enough() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let mut command = program.command(&["run", "text-classification", "-m", &model, "-", "--jsonl"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"good\n").unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    // Standard input stays open.
    let _ = stdin.write_all(b"bad\n");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{:?}: {}", output.status, text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_lines() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let file = program.folder.path().join("out.jsonl");
    // While nothing comes: at once.
    let mut idle = Running::new(program.command(&["run", "text-classification", "-m", &model, "-", "--jsonl"]));
    idle.write(b"good\n");
    idle.answer();
    idle.interrupt();
    assert_eq!(idle.code(), Some(130));

    // While much is at work: what is written are whole lines, and a second one ends at once.
    let mut busy =
        Running::new(program.command(&["run", "text-classification", "-m", &model, "-", "--jsonl", "-o", file.to_str().unwrap()]));
    let many = "a sentence of several words that takes some time\n".repeat(20_000);
    let mut stdin = busy.child.stdin.take().unwrap();
    thread::spawn(move || stdin.write_all(many.as_bytes()));
    while fs::metadata(&file).map_or(0, |about| about.len()) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    busy.interrupt();
    busy.interrupt();
    assert_eq!(busy.code(), Some(130));
    let written = lines(&fs::read(&file).unwrap());
    assert!(!written.is_empty() && written.len() < 20_000 && written.iter().all(|line| line["label"].is_string()));

    // A document that is not whole does not appear.
    let file = program.folder.path().join("out.json");
    fs::write(&file, "old").unwrap();
    let mut whole = Running::new(program.command(&["run", "text-classification", "-m", &model, "-", "-o", file.to_str().unwrap()]));
    whole.write("a sentence of several words that takes some time\n".repeat(20_000).as_bytes());
    drop(whole.child.stdin.take());
    let beside =
        || fs::read_dir(program.folder.path()).unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".part"));
    while !beside() {
        thread::sleep(Duration::from_millis(5));
    }
    whole.interrupt();
    assert_eq!(whole.code(), Some(130));
    assert!(!beside() && fs::read_to_string(&file).unwrap() == "old");
}

/// SIGTERM and SIGHUP end the program as Ctrl-C does, unless whoever has started it wants them ignored.
#[cfg(unix)]
#[test]
fn other_signals() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let run = ["run", "text-classification", "-m", &model, "-", "--jsonl"];
    // Tests may themselves be run by `nohup`, which their programs take over.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok()).unwrap_or(0);
    for (name, code) in [("-TERM", 143), ("-HUP", 129)].into_iter().filter(|(name, _)| *name != "-HUP" || ignored & 1 == 0) {
        let mut idle = Running::new(program.command(&run));
        idle.write(b"good\n");
        idle.answer();
        idle.signal(name);
        assert_eq!(idle.code(), Some(code), "{name}");
    }
    // Where nothing is answered line by line, it is at once, and told.
    let mut waiting = Running::new(program.command(&["tokenize", "-", "-m", &model]));
    thread::sleep(Duration::from_millis(200));
    waiting.signal("-TERM");
    assert_eq!(waiting.code(), Some(143));
    let mut told = String::new();
    std::io::Read::read_to_string(&mut waiting.child.stderr.take().unwrap(), &mut told).unwrap();
    assert_eq!(told, "error: interrupted by SIGTERM\n");
    // As `nohup` starts it, and a script's `&`.
    let inner = program.command(&run);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP INT; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    let mut ignoring = Running::new(command);
    ignoring.write(b"good\n");
    ignoring.answer();
    ignoring.signal("-HUP");
    ignoring.signal("-INT");
    ignoring.write(b"bad\n");
    ignoring.answer();
    drop(ignoring.child.stdin.take());
    assert_eq!(ignoring.code(), Some(0));
}

/// A conversion that is ended leaves nothing behind: the folder is there whole, or not at all.
#[cfg(unix)]
#[test]
fn a_conversion_that_is_ended_leaves_nothing() {
    let program = Program::new();
    let model = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let (here, out) = (program.folder.path(), program.folder.path().join("out"));
    let names = || fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    let is_part = |name: &String| name.starts_with(".part-");
    let mut ended = 0;
    for signal in ["-TERM", "-INT", "-HUP"].iter().cycle().take(60) {
        let mut converting = Running::new(program.command(&["convert", &model, out.to_str().unwrap()]));
        let mut goes_on = || converting.child.try_wait().unwrap().is_none();
        while !names().iter().any(is_part) && goes_on() {}
        if goes_on() {
            converting.signal(signal);
        }
        let code = converting.code();
        assert!(!names().iter().any(is_part), "{signal}: {:?}", names());
        match code {
            Some(0) => assert!(out.join("config.json").is_file()),
            Some(129 | 130 | 143) => ended += u32::from(!out.exists()),
            code => panic!("{signal}: {code:?}"),
        }
        let _ = fs::remove_dir_all(&out);
        if ended > 2 {
            return;
        }
    }
    panic!("no conversion was ended on its way");
}

/// Which input an answer belongs to, for scripts that read files of folders.
#[test]
fn answers_that_name_their_inputs() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    let folder = program.folder.path().join("mes textes");
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in [("-a b.txt", &b"good\n"[..]), ("é.txt", b"\xff"), ("z.jsonl", b"\"bad\"\n\n7\n")] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let folder = format!("{}/", folder.to_str().unwrap());
    let run = ["run", "text-classification", "-m", &model, &folder, "--jsonl"];
    let output = program.run(&[&run[..], &["--with-input"]].concat(), b"");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let plain = lines(&program.run(&run, b"").stdout);
    let named = lines(&output.stdout);
    let file = |name: &str| format!("{folder}{name}");
    assert_eq!(named[0], json!({"input": 0, "file": file("-a b.txt"), "answer": plain[0]}));
    assert_eq!(named[1]["file"], file("z.jsonl"));
    assert_eq!(named[1], json!({"input": 1, "file": file("z.jsonl"), "line": 1, "answer": plain[1]}));
    assert_eq!((&named[2]["line"], &named[2]["error"]), (&json!(3), &plain[2]["error"]));
    assert_eq!(named[3]["file"], file("é.txt"));
    assert!(named[3]["error"]["message"] == "byte 0 is not UTF-8" && named[3].get("answer").is_none(), "{}", named[3]);
    // Pictures are named by their paths, in a folder or not.
    let vit = golden("vit/image_classification").to_str().unwrap().to_owned();
    let media = golden("media");
    let picture =
        fs::read_dir(&media).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "png"));
    let picture = picture.unwrap().to_str().unwrap().to_owned();
    let run = ["run", "image-classification", "-m", &vit, &picture, "/no/such.png", "--jsonl"];
    let answers = lines(&program.run(&run, b"").stdout);
    assert!(answers[0].is_array() && answers[1]["error"]["file"] == "/no/such.png", "{answers:?}");
    let answers = lines(&program.run(&[&run[..], &["--with-input"]].concat(), b"").stdout);
    assert_eq!((&answers[0]["file"], &answers[1]["file"]), (&json!(picture), &json!("/no/such.png")));
}

/// A limit of file sizes stands for a disk that is full: the error is told, and what was written are whole lines.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full() {
    let program = Program::new();
    let model = golden(CLASSIFIER).to_str().unwrap().to_owned();
    for (name, more) in [("out.jsonl", &["--jsonl"][..]), ("out.json", &[])] {
        let file = program.folder.path().join(name);
        let run = ["run", "text-classification", "-m", &model, "-", "-o", file.to_str().unwrap()];
        let inner = program.command(&[&run[..], more].concat());
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f 4; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
        inner.get_envs().for_each(|(name, value)| match value {
            Some(value) => drop(command.env(name, value)),
            None => drop(command.env_remove(name)),
        });
        let output = crate::program::output(command, "a sentence\n".repeat(400).as_bytes());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("error: --output "), "{}", text(&output.stderr));
        if more.is_empty() {
            assert!(!file.exists());
        } else {
            let written = lines(&fs::read(&file).unwrap());
            assert!(written.len() > 5 && written.iter().all(|line| line["label"].is_string()), "{written:?}");
        }
    }
}

/// A chat is an input, and so is a line with parameters of its own where it is the only one.
#[test]
fn lines_that_are_chats_and_requests() {
    let program = Program::new();
    let model = golden("generate/models/qwen3/chat").to_str().unwrap().to_owned();
    let run = ["run", "text-generation", "-m", &model, "--jsonl-input", "-p", "do_sample=false", "-p", "max_new_tokens=4"];
    let chat = "[{\"role\": \"user\", \"content\": \"Hi\"}]\n\"Once\"\n";
    let answers = lines(&program.run(&[&run[..], &["--jsonl"]].concat(), chat.as_bytes()).stdout);
    assert_eq!(answers[0][0]["generated_text"][1]["role"], "assistant", "{answers:?}");
    assert!(answers[1][0]["generated_text"].as_str().unwrap().starts_with("Once"), "{answers:?}");
    let request = b"{\"inputs\": \"Once\", \"parameters\": {\"return_full_text\": false}}\n";
    let answer = program.json(&run, request);
    assert!(answer[0]["generated_text"].is_string() && answer[0]["generated_text"] != answers[1][0]["generated_text"], "{answer}");
}
