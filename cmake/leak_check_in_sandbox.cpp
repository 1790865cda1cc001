// Linked into every program of a build with the address sanitizer. Its leak check traces the process
// that it looks at, which the sandbox forbids: a worker that the director started would end with an
// error for that alone. Outside the sandbox leaks are looked for as usual.
#include <sys/prctl.h>

extern "C" [[gnu::visibility("default")]] int __lsan_is_turned_off();
extern "C" int __lsan_is_turned_off() {
  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}
