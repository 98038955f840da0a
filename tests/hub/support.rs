//! A stand-in for the Hub on this machine: its API, its storage on another address, and its troubles, on demand.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use sha1::Digest as _;

pub(crate) const REPO: &str = "ada/tiny-bert";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
pub(crate) struct File {
    pub(crate) content: Vec<u8>,
    /// Whether it lies in the storage for large files.
    pub(crate) large: bool,
}

impl File {
    /// What names its blob: SHA-256 of a large file, git's hash of another.
    pub(crate) fn etag(&self) -> String {
        if self.large { hex(&sha2::Sha256::digest(&self.content)) } else { self.blob_id() }
    }

    fn blob_id(&self) -> String {
        let mut bytes = format!("blob {}\0", self.content.len()).into_bytes();
        bytes.extend_from_slice(&self.content);
        hex(&sha1::Sha1::digest(&bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Something that goes wrong with an answer.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Another status, with headers.
    Status(u16, &'static str),
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The body has fewer bytes than it should, and its length says so.
    Short(usize),
    /// The first byte of the body is another one.
    Corrupt,
    /// `Range` is ignored.
    Whole,
    /// This header is another one.
    Header(&'static str, &'static str),
    /// The answer has no length, and goes on with this for ever.
    Endless(&'static str),
    /// There is always a page after this one.
    NextPage,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) range: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) storage: bool,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Names in listings that no file has.
    extra: Vec<String>,
    commit: String,
    faults: Vec<(String, usize, Fault)>,
    requests: Vec<Request>,
    /// The addresses of the Hub and of its storage.
    hub: String,
    storage: String,
}

/// The server. It listens until the process ends, or until it is told to stop.
pub(crate) struct StandIn {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
    addresses: [std::net::SocketAddr; 2],
    stopped: Arc<std::sync::atomic::AtomicBool>,
}

impl StandIn {
    pub(crate) fn new(files: &[(&str, &[u8], bool)]) -> Self {
        let file = |&(name, content, large): &(&str, &[u8], bool)| (name.to_owned(), File { content: content.to_vec(), large });
        let state = State { files: files.iter().map(file).collect(), commit: COMMIT.to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let addresses = [false, true].map(|storage| listen(&state, storage, &stopped));
        let [hub, storage] = addresses.map(|address| format!("http://{address}"));
        (lock(&state).hub, lock(&state).storage) = (hub.clone(), storage);
        Self { endpoint: hub, state, addresses, stopped }
    }

    /// Lets the next `times` requests whose line contains `part` go wrong.
    pub(crate) fn fault(&self, part: &str, times: usize, fault: Fault) -> &Self {
        lock(&self.state).faults.push((part.to_owned(), times, fault));
        self
    }

    /// Forgets the faults that are left.
    pub(crate) fn heal(&self) {
        lock(&self.state).faults.clear();
    }

    pub(crate) fn list_also(&self, names: &[&str]) {
        lock(&self.state).extra = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Moves `main` to another commit.
    pub(crate) fn commit(&self, commit: &str) {
        lock(&self.state).commit = commit.to_owned();
    }

    pub(crate) fn etag(&self, file: &str) -> String {
        lock(&self.state).files[file].etag()
    }

    /// What was asked for since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut lock(&self.state).requests)
    }

    /// Stops listening: from now on connections are refused.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
        for address in self.addresses {
            // Wakes it up to see.
            let _ = TcpStream::connect(address);
        }
        while self.addresses.iter().any(|address| TcpStream::connect(address).is_ok()) {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap()
}

fn listen(state: &Arc<Mutex<State>>, storage: bool, stopped: &Arc<std::sync::atomic::AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (state, stopped) = (state.clone(), stopped.clone());
    thread::spawn(move || {
        for connection in listener.incoming() {
            if stopped.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            let state = state.clone();
            thread::spawn(move || drop(answer(connection.unwrap(), &state, storage)));
        }
    });
    address
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

fn answer(mut connection: TcpStream, state: &Mutex<State>, storage: bool) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let line = lines.next().unwrap_or(Ok(String::new()))?;
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = lines.next().transpose()?.as_deref().and_then(|line| line.split_once(": ")) {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut state = lock(state);
    let (range, token) = (headers.get("range").cloned(), headers.get("authorization").cloned());
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let line = format!("{method} {target}");
    state.requests.push(Request { line: line.clone(), range: range.clone(), token, storage });

    let fault = state.faults.iter_mut().find(|(part, times, _)| line.contains(part.as_str()) && *times > 0);
    let fault = fault.map(|(_, times, fault)| {
        *times -= 1;
        fault.clone()
    });
    let range = range.filter(|_| !matches!(fault, Some(Fault::Whole)));
    let mut answer = if storage { stored(&state, &target) } else { hub(&state, &target) };
    drop(state);
    if let (Some(range), 200) = (range, answer.status) {
        answer = partial(answer, &range);
    }
    let mut sent = None;
    match fault {
        Some(Fault::Status(status, headers)) => {
            answer = Answer::new(status, "{\"error\": \"told to\"}");
            for (name, value) in headers.split("; ").filter_map(|header| header.split_once(": ")) {
                answer = answer.with(name, value);
            }
        }
        Some(Fault::Cut(at)) => sent = Some(at),
        Some(Fault::Short(by)) => answer.body.truncate(answer.body.len().saturating_sub(by)),
        Some(Fault::Corrupt) => {
            if let Some(byte) = answer.body.first_mut() {
                *byte ^= 1;
            }
        }
        Some(Fault::Header(name, value)) => answer = answer.with(name, value),
        Some(Fault::NextPage) => {
            let page: usize = target.split("page=").nth(1).and_then(|page| page.parse().ok()).unwrap_or(0);
            answer = answer.with("Link", format!("<{}?page={}>; rel=\"next\"", target.split('?').next().unwrap_or_default(), page + 1));
        }
        Some(Fault::Endless(more)) => {
            let head = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
            connection.write_all(format!("HTTP/1.1 {} Whatever\r\nConnection: close\r\n{head}\r\n", answer.status).as_bytes())?;
            if method == "HEAD" {
                return connection.shutdown(Shutdown::Write);
            }
            let more = more.repeat(1 + 100_000 / more.len());
            loop {
                connection.write_all(more.as_bytes())?;
            }
        }
        Some(Fault::Whole) | None => {}
    }
    if !answer.headers.iter().any(|(name, _)| name == "Content-Length") {
        let length = answer.body.len().to_string();
        answer = answer.with("Content-Length", length);
    }
    let mut head = format!("HTTP/1.1 {} Whatever\r\nConnection: close\r\n", answer.status);
    for (name, value) in answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    if method != "HEAD" {
        connection.write_all(&answer.body[..sent.unwrap_or(answer.body.len()).min(answer.body.len())])?;
    }
    connection.shutdown(Shutdown::Write)?;
    // What is still coming would turn the end of the answer into a reset.
    connection.read_to_end(&mut Vec::new()).map(drop)
}

/// The API and `resolve`.
fn hub(state: &State, target: &str) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let not_found = |code| Answer::new(404, format!("{{\"error\": \"{code}\"}}")).with("X-Error-Code", code);
    let known = |revision: &str| revision == "main" || revision == state.commit || revision == "refs%2Fpr%2F1";
    if let Some(rest) = path.strip_prefix("/api/models/") {
        let Some(rest) = rest.strip_prefix(REPO) else {
            return Answer::new(401, "").with("X-Error-Code", "RepoNotFound").with("X-Error-Message", "Invalid username or password.");
        };
        if let Some(revision) = rest.strip_prefix("/revision/") {
            return if known(revision) { info(state) } else { not_found("RevisionNotFound") };
        }
        return if known(rest.trim_start_matches("/tree/")) { tree(state, path, query) } else { not_found("RevisionNotFound") };
    }
    let Some((revision, name)) = path.strip_prefix(&format!("/{REPO}/resolve/")).and_then(|rest| rest.split_once('/')) else {
        // Small files are handed on once more, to an address on the Hub itself.
        return match path.strip_prefix("/api/resolve-cache/").and_then(|name| state.files.get(&name.replace("%20", " "))) {
            Some(file) => content(file).with("ETag", format!("\"{}\"", file.etag())).with("X-Repo-Commit", state.commit.as_str()),
            None => not_found("RepoNotFound"),
        };
    };
    let name = name.replace("%20", " ");
    match state.files.get(&name) {
        _ if !known(revision) => not_found("RevisionNotFound"),
        None => not_found("EntryNotFound").with("X-Repo-Commit", state.commit.as_str()),
        Some(file) if file.large => Answer::new(302, "")
            .with("Location", format!("{}/{}?signed=yes", state.storage, file.etag()))
            .with("X-Linked-Etag", format!("\"{}\"", file.etag()))
            .with("X-Linked-Size", file.content.len().to_string())
            .with("X-Repo-Commit", state.commit.as_str()),
        Some(_) => Answer::new(307, "").with("Location", format!("/api/resolve-cache/{name}")).with("X-Repo-Commit", state.commit.as_str()),
    }
}

fn info(state: &State) -> Answer {
    let names = state.files.keys().chain(&state.extra);
    let siblings: Vec<_> = names.map(|name| serde_json::json!({ "rfilename": name })).collect();
    Answer::new(200, serde_json::json!({ "id": REPO, "sha": state.commit, "siblings": siblings }).to_string())
}

/// Two entries a page.
fn tree(state: &State, path: &str, query: &str) -> Answer {
    let mut entries: Vec<_> = state.files.iter().map(|(name, file)| entry(name, file)).collect();
    entries.extend(state.extra.iter().map(|name| entry(name, &File { content: Vec::new(), large: false })));
    entries.insert(0, serde_json::json!({ "type": "directory", "oid": "0", "path": "onnx" }));
    let page: usize = query.split('&').find_map(|part| part.strip_prefix("page=")?.parse().ok()).unwrap_or(0);
    let shown: Vec<_> = entries.iter().skip(2 * page).take(2).collect();
    let answer = Answer::new(200, serde_json::json!(shown).to_string());
    if entries.len() <= 2 * page + 2 {
        return answer;
    }
    answer.with("Link", format!("<{}{path}?page={}>; rel=\"next\"", state.hub, page + 1))
}

fn entry(name: &str, file: &File) -> serde_json::Value {
    let mut entry = serde_json::json!({ "type": "file", "oid": file.blob_id(), "size": file.content.len(), "path": name });
    if file.large {
        entry["lfs"] = serde_json::json!({ "oid": file.etag(), "size": file.content.len(), "pointerSize": 134 });
    }
    entry
}

/// The storage for large files, which knows nothing of the Hub's headers.
fn stored(state: &State, target: &str) -> Answer {
    let hash = target.trim_start_matches('/').split('?').next().unwrap_or_default();
    match state.files.values().find(|file| file.etag() == hash) {
        Some(file) => content(file).with("ETag", "\"the storage's own\""),
        None => Answer::new(403, ""),
    }
}

fn content(file: &File) -> Answer {
    Answer::new(200, file.content.clone()).with("Accept-Ranges", "bytes")
}

fn partial(answer: Answer, range: &str) -> Answer {
    let total = answer.body.len();
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    if from >= total {
        return Answer::new(416, "").with("Content-Range", format!("bytes */{total}"));
    }
    let body = answer.body[from..].to_vec();
    Answer { status: 206, body, ..answer }.with("Content-Range", format!("bytes {from}-{}/{total}", total - 1))
}
