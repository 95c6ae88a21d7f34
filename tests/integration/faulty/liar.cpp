// A plugin written by hand against the C boundary, whose counts are not those of what it wrote.
#include <muster/plugin/abi.h>

namespace {

int instance = 0;

void* create(const muster_setting*, uint64_t, const muster_failure*) { return &instance; }
void destroy(void*) {}

int write_none_claim_three(void*, const muster_map_host*, muster_counts* counts,
                           const muster_failure*) {
  counts->records_out = 3;
  return MUSTER_OK;
}

int write_text_as_no_line(void*, const muster_map_host* host, muster_counts*,
                          const muster_failure*) {
  return host->write_output(host->context, {"lost\n", 5}, 0) == 0 ? MUSTER_OK : MUSTER_HOST_FAILED;
}

const muster_task tasks[] = {
    {sizeof(muster_task), MUSTER_TASK_MAP, MUSTER_RECORDS_LINES, 0, "claims", "", nullptr, 0,
     &create, &destroy, &write_none_claim_three, nullptr},
    {sizeof(muster_task), MUSTER_TASK_MAP, MUSTER_RECORDS_LINES, 0, "loses", "", nullptr, 0,
     &create, &destroy, &write_text_as_no_line, nullptr},
};

const muster_plugin_descriptor descriptor = {MUSTER_ABI_MAGIC,
                                             MUSTER_ABI_VERSION,
                                             sizeof(muster_plugin_descriptor),
                                             sizeof(muster_task),
                                             "liar",
                                             "1",
                                             "1",
                                             "by hand",
                                             2,
                                             tasks};

}  // namespace

extern "C" __attribute__((visibility("default"))) const muster_plugin_descriptor*
muster_plugin_entry() {
  return &descriptor;
}
