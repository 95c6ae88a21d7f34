#pragma once

#include <unistd.h>

namespace muster::test {

/// While it lives, a process of root's has the rights of nobody: what file modes forbid is
/// forbidden. For other users, who are bound by file modes anyway, it does nothing.
class AsNobody {
 public:
  AsNobody() : was_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsNobody() {
    if (was_root_ && ::seteuid(0) != 0) ::_exit(1);  // no test may go on as somebody else
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_;
};

}  // namespace muster::test
