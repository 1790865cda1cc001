"""What the tests of whole programs share: a folder of their own for all that a run may touch, and a
look at what it left."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

SYSTEM = re.compile(r"director of system (\S+):")


class Place:
    """Folders for one test; short, as a socket's path has 107 bytes at most."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="sb-"))
        self.runtime = self.root / "runtime"
        self.temporary = self.root / "temporary"
        for folder in (self.runtime, self.temporary):
            folder.mkdir(mode=0o700)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def start(self, arguments, **extra):
        environment = dict(os.environ, XDG_RUNTIME_DIR=str(self.runtime),
                           TMPDIR=str(self.temporary), **extra)
        for name in ("SESSIONBLOCKS_SOCKET", "SESSIONBLOCKS_SCOPE", "SESSIONBLOCKS_TOKEN"):
            environment.pop(name, None)
        return Run(self, subprocess.Popen(arguments, env=environment, text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE))


class Run:
    def __init__(self, place, process):
        self.place, self.process = place, process

    def end(self, time_limit_s):
        """Waits for the end. Returns exit code, stdout, stderr; past the limit the code is None."""
        try:
            out, err = self.process.communicate(timeout=time_limit_s)
            return self.process.returncode, out, err
        except subprocess.TimeoutExpired:
            self.process.terminate()
            out, err = self.process.communicate(timeout=60)
            return None, out, err

    def leftovers(self, err):
        """What stands where nothing should: segments, files, folders, processes of the run."""
        systems = SYSTEM.findall(err)
        segments = [f"/dev/shm/{name}" for name in os.listdir("/dev/shm")
                    if any(f".{system}." in name for system in systems)]
        files = [str(path) for folder in (self.place.runtime, self.place.temporary)
                 for path in folder.rglob("*")]
        return segments + files + [f"pid {pid}: {exe}" for pid, exe in self.processes()]

    def processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                exe = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if exe.startswith(f"{self.place.root}/"):
                yield int(pid), exe
