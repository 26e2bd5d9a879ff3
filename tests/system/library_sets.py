"""Library sets as the tests build them, of what an index of their own has."""


class Sets:
    def __init__(self, wafer, index):
        self.wafer = wafer
        self.index = index
        self.folder = wafer.state_dir / "library-sets"

    def start(self, *words, **keywords):
        keywords.setdefault("environment", self.index.environment)
        return self.wafer.start("library-set", *words, **keywords)

    def call(self, *words, **keywords):
        return self.start(*words, **keywords).wait()

    def add(self, lock, *words, name="mine", **keywords):
        """`wafer library-set add` of a lock file's text."""
        path = self.wafer.file("mine.lock", lock)
        return self.call("add", name, f"--lock={path}", *words, **keywords)

    def refuse(self, lock, *words, name="mine", **keywords):
        """Its one line, where it is refused."""
        outcome = self.add(lock, *words, name=name, **keywords).check(125)
        assert outcome.stdout == b""
        *before, line = outcome.messages
        assert all("building the library set" in other for other in before)
        return line

    def run(self, script, *options, name="mine"):
        return self.wafer.run(script, f"--library-set={name}", *options)

    @property
    def names(self):
        """What is in the folder but for the lock file."""
        return {path.name for path in self.folder.iterdir()} - {".lock"}

    @property
    def chosen(self):
        return (self.folder / "mine").readlink().name
