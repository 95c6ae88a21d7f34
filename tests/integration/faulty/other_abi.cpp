// A shared object with a descriptor of a version that does not exist yet.
#include <muster/plugin/abi.h>

extern "C" __attribute__((visibility("default"))) const muster_plugin_descriptor*
muster_plugin_entry() {
  static const muster_plugin_descriptor descriptor = [] {
    muster_plugin_descriptor out{};
    out.magic = MUSTER_ABI_MAGIC;
    out.abi_version = 99;
    out.struct_size = sizeof(muster_plugin_descriptor);
    return out;
  }();
  return &descriptor;
}
