#include <typeinfo>

#include <muster/executors/throw_trace.hpp>

// Apart from throw_trace.hpp's users, for whom the symbol below has the type std::type_info.

namespace muster::detail {

// Not in an unnamed namespace: objects of types from there are not seen by other files.
class ProbeTypeInfo final : public std::type_info {
 public:
  ProbeTypeInfo() : std::type_info("N6muster6detail10ThrowProbeE") {}

  // libstdc++'s hook, called for a catch clause in the first phase of unwinding.
  // NOLINTNEXTLINE(bugprone-reserved-identifier)
  bool __do_catch(const std::type_info* /*thrown*/, void** /*object*/,
                  unsigned /*outer*/) const override {
    ThrowTrace::record_innermost();
    return false;
  }
};

// The symbol of typeid(ThrowProbe).
extern const ProbeTypeInfo throw_probe_type asm("_ZTIN6muster6detail10ThrowProbeE");
const ProbeTypeInfo throw_probe_type;

}  // namespace muster::detail
