/* Python.h first: it sets feature macros. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <marshal.h>

#include "config.h"

#include "runtime/python_module.h"

#include "runtime/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOOTSTRAP   "wafer_bootstrap"
#define INTERPRETER "/usr/bin/python" PYTHON_VERSION

/* Compiled code that is part of this program (runtime/freeze.py): the
 * bootstrap, and the modules that each start of an interpreter imports from
 * files. So no folder is listed and no file read: 1.2M instructions of 29M. */
#include "runtime/frozen.inc"

static int status_error(PyStatus status, struct error **err)
{
  return error_make(err, 0, "start Python: %s: %s",
                    status.func ? status.func : "PyConfig",
                    status.err_msg ? status.err_msg : "failed");
}

static int initialize(struct error **err)
{
  /* UTF-8 whatever the locale, as for `python3` in C.UTF-8. */
  PyPreConfig before;
  PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 0;
  before.configure_locale = 1;
  PyStatus status = Py_PreInitialize(&before);
  if (PyStatus_Exception(status))
    return status_error(status, err);
  PyImport_FrozenModules = frozen_modules;
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.install_signal_handlers = 1;
  /* The bootstrap adds what site would, without the machine's .pth files and
   * sitecustomize: 2.2 ms of 6.6, and nothing that the operator didn't name. */
  config.site_import = 0;
  config.write_bytecode = 0;
  status = PyConfig_SetBytesString(&config, &config.program_name, INTERPRETER);
  if (!PyStatus_Exception(status))
    status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status))
    return status_error(status, err);
  return 0;
}

static int import_bootstrap(struct error **err)
{
  PyObject *code = PyMarshal_ReadObjectFromString(
      (const char *)bootstrap_code, (Py_ssize_t)sizeof bootstrap_code);
  PyObject *module =
      code != NULL ? PyImport_ExecCodeModule(BOOTSTRAP, code) : NULL;
  Py_XDECREF(code);
  if (module == NULL) {
    PyErr_Print();
    return error_make(err, 0, "import %s", BOOTSTRAP);
  }
  /* sys.modules keeps it until the job runs it. */
  Py_DECREF(module);
  return 0;
}

/* What the interpreter itself is made of is no garbage and never will be: the
 * collector needn't go through it, which takes 0.9 ms at the end alone, and a
 * forked one needn't copy it for that (gc.freeze, since Python 3.7). */
static int freeze_garbage(struct error **err)
{
  PyObject *module = PyImport_ImportModule("gc");
  PyObject *done =
      module != NULL ? PyObject_CallMethod(module, "freeze", NULL) : NULL;
  bool failed = done == NULL;
  Py_XDECREF(done);
  Py_XDECREF(module);
  if (failed || PyDict_DelItemString(PyImport_GetModuleDict(), "gc") < 0) {
    PyErr_Print();
    return error_make(err, 0, "gc.freeze failed");
  }
  return 0;
}

static int start(struct error **err)
{
  if (initialize(err) < 0 || import_bootstrap(err) < 0)
    return -1;
  return freeze_garbage(err);
}

static const char *version(void)
{
  return PY_VERSION;
}

static PyObject *to_python(const json_t *value);

static PyObject *list_to_python(const json_t *array)
{
  PyObject *list = PyList_New(0);
  size_t i;
  json_t *value;
  json_array_foreach(array, i, value)
  {
    PyObject *item = to_python(value);
    if (item == NULL || PyList_Append(list, item) < 0) {
      Py_XDECREF(item);
      Py_DECREF(list);
      return NULL;
    }
    Py_DECREF(item);
  }
  return list;
}

static PyObject *dict_to_python(const json_t *object)
{
  PyObject *dict = PyDict_New();
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value)
  {
    PyObject *item = to_python(value);
    if (item == NULL || PyDict_SetItemString(dict, key, item) < 0) {
      Py_XDECREF(item);
      Py_DECREF(dict);
      return NULL;
    }
    Py_DECREF(item);
  }
  return dict;
}

/* A text of the spec is bytes, each as the character of that number: see
 * host/spec.c. Here it becomes what Python makes of bytes from the outside. */
static PyObject *text_to_python(const json_t *value)
{
  PyObject *text =
      PyUnicode_DecodeUTF8(json_string_value(value),
                           (Py_ssize_t)json_string_length(value), "strict");
  PyObject *bytes = text != NULL ? PyUnicode_AsLatin1String(text) : NULL;
  PyObject *result = NULL;
  if (bytes != NULL)
    result = PyUnicode_DecodeFSDefaultAndSize(PyBytes_AS_STRING(bytes),
                                              PyBytes_GET_SIZE(bytes));
  Py_XDECREF(bytes);
  Py_XDECREF(text);
  return result;
}

/* Without the json module: a job should find it unimported. */
static PyObject *to_python(const json_t *value)
{
  switch (json_typeof(value)) {
  case JSON_STRING:
    return text_to_python(value);
  case JSON_INTEGER:
    return PyLong_FromLongLong(json_integer_value(value));
  case JSON_ARRAY:
    return list_to_python(value);
  case JSON_OBJECT:
    return dict_to_python(value);
  case JSON_TRUE:
  case JSON_FALSE:
    return PyBool_FromLong(json_is_true(value));
  case JSON_REAL:
  case JSON_NULL:
  default:
    Py_RETURN_NONE;
  }
}

static PyObject *fds_to_python(const json_t *job, const int *fds)
{
  PyObject *list = PyList_New(0);
  for (json_int_t i = 0; i < json_integer_value(json_object_get(job, "files"));
       i++) {
    PyObject *number = PyLong_FromLong(fds[i]);
    PyList_Append(list, number);
    Py_DECREF(number);
  }
  return list;
}

/* CPython 3.11.2 silently ends a file at its first NUL byte. */
static int refuse_nul(FILE *file)
{
  char bytes[4096];
  size_t count;
  while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
    if (memchr(bytes, '\0', count) != NULL) {
      PyErr_SetString(PyExc_SyntaxError,
                      "source code cannot contain null bytes");
      return -1;
    }
  rewind(file);
  return 0;
}

/* What `python3 FILE` does: compile and run it in __main__'s namespace. The
 * builtin compile() would first make the hundred types of the ast module, which
 * takes 1.2 ms (CPython 3.11, PyAST_Check). */
static PyObject *execute(PyObject *self, PyObject *arguments)
{
  (void)self;
  const char *path;
  PyObject *names;
  if (!PyArg_ParseTuple(arguments, "sO!", &path, &PyDict_Type, &names))
    return NULL;
  FILE *file = fopen(path, "rbe");
  if (file == NULL)
    return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
  if (refuse_nul(file) < 0) {
    fclose(file);
    return NULL;
  }
  return PyRun_FileEx(file, path, Py_file_input, names, names, 1);
}

static PyObject *make_execute(void)
{
  static PyMethodDef method = {
      .ml_name = "execute", .ml_meth = execute, .ml_flags = METH_VARARGS};
  return PyCFunction_New(&method, NULL);
}

static int call_bootstrap(const json_t *job, const int *fds, int report_fd)
{
  PyObject *modules = PyImport_GetModuleDict();
  PyObject *module = PyDict_GetItemString(modules, BOOTSTRAP);
  Py_XINCREF(module);
  /* A job sees an interpreter that never met the bootstrap. */
  PyDict_DelItemString(modules, BOOTSTRAP);
  PyObject *spec = to_python(job);
  PyObject *files = fds_to_python(job, fds);
  PyObject *run_file = make_execute();
  PyObject *status = PyObject_CallMethod(module, "run", "OOiiO", spec, files,
                                         report_fd, JOB_STACK_SIGNAL, run_file);
  Py_XDECREF(run_file);
  Py_XDECREF(spec);
  Py_XDECREF(files);
  Py_XDECREF(module);
  if (status == NULL) {
    PyErr_Print();
    return 1;
  }
  int number = (int)PyLong_AsLong(status);
  Py_DECREF(status);
  return number;
}

static int run(const json_t *job, const int *fds, int report_fd)
{
  enum { FLUSH_FAILED = 120, INTERRUPTED = -1 };
  int status = call_bootstrap(job, fds, report_fd);
  if (Py_FinalizeEx() < 0)
    status = FLUSH_FAILED;
  if (status != INTERRUPTED)
    return status;
  signal(SIGINT, SIG_DFL);
  kill(getpid(), SIGINT);
  return 128 + SIGINT;
}

static int renew(struct error **err)
{
  PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), BOOTSTRAP);
  PyObject *done = PyObject_CallMethod(module, "renew", NULL);
  if (done == NULL) {
    PyErr_Print();
    return error_make(err, 0, "make what is random new after the fork");
  }
  Py_DECREF(done);
  return 0;
}

const struct python_module wafer_python_module = {
    .start = start,
    .version = version,
    .before_fork = PyOS_BeforeFork,
    .after_fork_parent = PyOS_AfterFork_Parent,
    .after_fork_child = PyOS_AfterFork_Child,
    .renew = renew,
    .run = run,
};
