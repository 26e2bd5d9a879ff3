/* Ordinary programs under the system-call filter: none may notice it. */
#include "config.h"

#include "tests/unit/seccomp_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_program(const void *argument)
{
  char *const *argv = (char *const *)(uintptr_t)argument;
  static const char *const environment[] = {
      "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/tmp", NULL};
  execve(argv[0], argv, (char *const *)(uintptr_t)environment);
  _exit(CHILD_BROKEN);
}

/* An ordinary program must notice nothing. */
static void expect_undisturbed(const char *const argv[])
{
  if (access(argv[0], X_OK) != 0) {
    print_message("a program that it runs is not installed\n");
    skip();
  }
  struct outcome outcome = run_supervised(run_program, argv);
  for (size_t i = 0; i < outcome.refused_count; i++)
    print_error("%s: refused %s\n", argv[0], outcome.refused[i]);
  assert_int_equal(outcome.refused_count, 0);
  assert_true(WIFEXITED(outcome.status));
  assert_int_equal(WEXITSTATUS(outcome.status), 0);
}

static void test_shell_tools_run(void **state)
{
  (void)state;
  static const char *const argv[] = {
      "/bin/sh", "-ec",
      "test \"$(echo x | gzip | gunzip)\" = x\n"
      "tar cf - -C / etc/hostname | tar tf - >/dev/null\n"
      "ls -l / >/dev/null\n"
      "d=$(mktemp -d); trap 'rm -r \"$d\"' EXIT; cd \"$d\"\n"
      "cp -a /etc/hostname a; mv a b; ln -s b c; mkfifo f; chmod 750 b\n"
      "touch -d 2018-11-26 b; sort b | uniq | xargs -n 1 echo >/dev/null\n"
      "find . -type f -exec cat {} + >/dev/null; dd if=b of=e 2>/dev/null\n"
      "if command -v git >/dev/null; then git init -q r; fi\n"
      "sleep 0.01; timeout 5 true; nice true; id >/dev/null; df . >/dev/null",
      NULL};
  expect_undisturbed(argv);
}

static const char python_script[] =
    "import asyncio, ctypes, gzip, hashlib, json, mmap, multiprocessing as m\n"
    "import os, random, secrets, select, shutil, signal, socket, sqlite3, ssl\n"
    "import subprocess, sys, tempfile, threading, time, uuid, zipfile\n"
    "import concurrent.futures as f, resource, selectors, tarfile, fcntl\n"
    "assert subprocess.check_output(['/bin/echo', 'x']) == b'x\\n'\n"
    "assert subprocess.run('exit 3', shell=True).returncode == 3\n"
    "subprocess.run(['true'], start_new_session=True, preexec_fn=os.getpid)\n"
    "for method in ('fork', 'spawn', 'forkserver'):\n"
    "    context = m.get_context(method)\n"
    "    with context.Pool(2) as pool:\n"
    "        assert pool.map(abs, [-1, -2]) == [1, 2]\n"
    "q = m.get_context('fork').Queue(); q.put(1); assert q.get() == 1\n"
    "with f.ThreadPoolExecutor(4) as pool:\n"
    "    assert list(pool.map(abs, [-1, 2])) == [1, 2]\n"
    "with f.ProcessPoolExecutor(2) as pool:\n"
    "    assert list(pool.map(abs, [-1, 2])) == [1, 2]\n"
    "with tempfile.TemporaryDirectory() as d:\n"
    "    p = os.path.join(d, 'a')\n"
    "    db = sqlite3.connect(p + '.db')\n"
    "    db.execute('pragma journal_mode=wal')\n"
    "    db.execute('create table t (x)'); db.commit(); db.close()\n"
    "    open(p, 'wb').write(gzip.compress(b'x' * 4096))\n"
    "    shutil.copy2(p, p + '2'); os.truncate(p, 4096); os.chmod(p, 0o640)\n"
    "    with open(p, 'r+b') as h:\n"
    "        mmap.mmap(h.fileno(), 0)[0]; fcntl.flock(h, fcntl.LOCK_EX)\n"
    "        os.posix_fadvise(h.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)\n"
    "        os.fsync(h.fileno())\n"
    "    os.mkfifo(p + 'f'); os.symlink(p, p + 's'); os.rename(p, p + '3')\n"
    "    zipfile.ZipFile(p + '.zip', 'w').writestr('a', 'b')\n"
    "    tarfile.open(p + '.tar.gz', 'w:gz').add(p + '2')\n"
    "    shutil.disk_usage(d); list(os.scandir(d)); os.walk(d)\n"
    "with socket.create_server(('127.0.0.1', 0)) as s:\n"
    "    c = socket.create_connection(s.getsockname()); a, _ = s.accept()\n"
    "    c.sendall(b'hi'); assert a.recv(2) == b'hi'; c.close(); a.close()\n"
    "a, b = socket.socketpair(); a.send(b'x'); b.recv(1); a.close(); "
    "b.close()\n"
    "socket.getaddrinfo('localhost', 80); socket.gethostname()\n"
    "async def main():\n"
    "    p = await asyncio.create_subprocess_exec('true')\n"
    "    assert await p.wait() == 0\n"
    "    await asyncio.to_thread(time.sleep, 0.001)\n"
    "asyncio.run(main())\n"
    "asyncio.set_child_watcher(asyncio.PidfdChildWatcher())\n"
    "t = threading.Thread(target=time.sleep, args=(0.001,)); t.start(); "
    "t.join()\n"
    "ssl.create_default_context(); secrets.token_bytes(8); uuid.uuid1()\n"
    "hashlib.sha256(b'x'); random.random(); os.sched_getaffinity(0)\n"
    "os.sched_setaffinity(0, os.sched_getaffinity(0)); os.nice(0)\n"
    "resource.getrlimit(resource.RLIMIT_NOFILE); os.getloadavg()\n"
    "signal.setitimer(signal.ITIMER_REAL, 0); select.epoll().close()\n"
    "os.memfd_create('x'); os.eventfd(0); os.pidfd_open(os.getpid())\n"
    "os.getrandom(8); os.cpu_count(); os.uname(); os.times(); os.umask(18)\n"
    "ctypes.CDLL(None).getpid(); os.get_blocking(0); os.isatty(0)\n"
    "from multiprocessing import shared_memory\n"
    "s = shared_memory.SharedMemory(create=True, size=64); s.close()\n"
    "s.unlink()\n";

static void test_python_runs(void **state)
{
  (void)state;
  static const char *const argv[] = {"/usr/bin/python3.11", "-I", "-c",
                                     python_script, NULL};
  expect_undisturbed(argv);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shell_tools_run),
      cmocka_unit_test(test_python_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
