/* The boundary between Muster and a plugin: plain C, crossed once a block, never once a record.
 *
 * Rules that keep it stable:
 * - A plugin exports one function, muster_plugin_entry(), that returns its descriptor. It does no
 *   other work at load time.
 * - The first three fields of the descriptor never change. Everything else is guarded by
 *   abi_version: a host refuses another version and says what to rebuild.
 * - Within a version, structs grow only at their end, and struct_size says how much is there.
 * - No exception, allocator or C++ type crosses. Memory belongs to the side that made it and is
 *   valid until the call returns, unless a comment says otherwise.
 * - All calls into one task instance come from one thread at a time, in a task process.
 *
 * Plugin authors include <muster/plugin.hpp>, which fills these structs in.
 */
#ifndef MUSTER_PLUGIN_ABI_H
#define MUSTER_PLUGIN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MUSTER_ABI_MAGIC 0x4d555354u /* "MUST" */
#define MUSTER_ABI_VERSION 1u
#define MUSTER_ENTRY_SYMBOL "muster_plugin_entry"

/* Bytes that may be read, not used, after the end of every input block: room for SIMD loads. */
#define MUSTER_BLOCK_SLACK 64u

typedef struct muster_bytes {
  const char* data;
  uint64_t size;
} muster_bytes;

/* What a call into the plugin returns. */
enum muster_status {
  MUSTER_OK = 0,
  MUSTER_TASK_FAILED = 1, /* the task threw: reported through muster_failure */
  MUSTER_HOST_FAILED = 2  /* a host callback failed: the host knows why */
};

/* Kinds of failure a task reports. */
enum muster_failure_kind {
  MUSTER_FAILURE_TASK = 0,   /* an exception of the task's own */
  MUSTER_FAILURE_USAGE = 1,  /* a setting has a bad value */
  MUSTER_FAILURE_MEMORY = 2, /* out of memory */
  MUSTER_FAILURE_LIMIT = 3   /* a stated limit was reached */
};

/* Where the plugin reports a failure; both texts are copied during the call. */
typedef struct muster_failure {
  void* context;
  void (*report)(void* context, uint32_t kind, muster_bytes type, muster_bytes message,
                 muster_bytes hint);
} muster_failure;

/* A parameter a task knows. choices is "a|b|c", or empty for any text. */
typedef struct muster_parameter {
  const char* name;
  const char* default_value;
  const char* choices;
  const char* help;
} muster_parameter;

typedef struct muster_setting {
  muster_bytes name;
  muster_bytes value;
} muster_setting;

/* A block of whole records. */
typedef struct muster_block {
  const char* data; /* valid until the next call of next_block */
  uint64_t size;
  muster_bytes file;   /* the name as the user gave it; valid until the call returns */
  uint64_t offset;     /* of data[0] in the file, in bytes */
  uint64_t position;   /* of data[0] in the chunk: what *position counts in */
  uint64_t first_line; /* number of the first line, from 1; 0 unless line_numbers was asked for */
} muster_block;

/* Callbacks return 0 for success, a negative number for failure: then the plugin returns
 * MUSTER_HOST_FAILED without calling again. */
typedef struct muster_map_host {
  uint32_t struct_size;
  uint32_t partitions;
  uint64_t memory_bytes;       /* what the task may use for its tables */
  volatile uint64_t* position; /* of the record at work, for error messages */
  void* context;
  int (*next_block)(void* context, muster_block* block); /* 1: a block, 0: the end */
  int (*write)(void* context, uint32_t partition, muster_bytes encoded, uint64_t records);
  int (*write_output)(void* context, muster_bytes text, uint64_t records); /* map-only tasks */
} muster_map_host;

/* Extent of one output line in a text block, so that sorted outputs can be merged by key. */
typedef struct muster_line_extent {
  uint32_t key_size;  /* bytes of the key at the start of the line */
  uint32_t line_size; /* bytes of the whole line, its newline included */
} muster_line_extent;

typedef struct muster_reduce_host {
  uint32_t struct_size;
  uint32_t partition;
  uint64_t memory_bytes;
  void* context;
  int (*next_block)(void* context, muster_bytes* encoded); /* valid until the next call */
  int (*write_output)(void* context, muster_bytes text, const muster_line_extent* lines,
                      uint64_t count);
} muster_reduce_host;

/* Counts for the conservation check: what goes in must come out. */
typedef struct muster_counts {
  uint64_t records_in;
  uint64_t records_out;
} muster_counts;

enum muster_task_kind { MUSTER_TASK_MAP_REDUCE = 1, MUSTER_TASK_MAP = 2 };
enum muster_record_format {
  MUSTER_RECORDS_LINES = 1, /* ended by '\n' */
  MUSTER_RECORDS_WORDS = 2  /* ended by any ASCII white space: 9 to 13 and 32 */
};
#define MUSTER_TASK_LINE_NUMBERS 1u /* a flag of muster_task */

typedef struct muster_task {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t records;
  uint32_t flags;
  const char* name;
  const char* summary;
  const muster_parameter* parameters;
  uint64_t parameter_count;
  /* An instance serves many chunks of one job, one after the other; NULL on failure. */
  void* (*create)(const muster_setting* settings, uint64_t count, const muster_failure* failure);
  void (*destroy)(void* instance);
  int (*map)(void* instance, const muster_map_host* host, muster_counts* counts,
             const muster_failure* failure);
  int (*reduce)(void* instance, const muster_reduce_host* host, muster_counts* counts,
                const muster_failure* failure); /* NULL for map-only tasks */
} muster_task;

typedef struct muster_plugin_descriptor {
  uint32_t magic;
  uint32_t abi_version;
  uint32_t struct_size;
  uint32_t task_struct_size;
  const char* name;
  const char* version;
  const char* sdk_version;
  const char* compiler;
  uint64_t task_count;
  const muster_task* tasks;
} muster_plugin_descriptor;

typedef const muster_plugin_descriptor* (*muster_plugin_entry_function)(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
