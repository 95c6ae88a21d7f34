#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include <elf.h>
#include <link.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/code_address.hpp>

namespace muster::detail {
namespace {

/// A part of the program or of a library that holds code.
struct CodeSegment {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::uintptr_t bias = 0;  // what was added to the addresses that the module was linked for
  std::uint64_t module = 0;
};

std::size_t padded(std::size_t size) { return (size + 3U) & ~std::size_t{3}; }

/// What stands in the module's GNU build id note; empty if it has none.
std::string_view build_id(const dl_phdr_info& info) {
  for (const auto* each = info.dlpi_phdr; each != info.dlpi_phdr + info.dlpi_phnum; ++each) {
    if (each->p_type != PT_NOTE) continue;
    std::string_view notes(reinterpret_cast<const char*>(info.dlpi_addr + each->p_vaddr),
                           each->p_memsz);
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) note;
      std::memcpy(&note, notes.data(), sizeof(note));
      const std::size_t name = sizeof(note);
      const std::size_t description = name + padded(note.n_namesz);
      if (description + note.n_descsz > notes.size()) break;
      const bool is_gnu = notes.substr(name, note.n_namesz) == std::string_view("GNU\0", 4);
      if (is_gnu && note.n_type == NT_GNU_BUILD_ID) return notes.substr(description, note.n_descsz);
      notes.remove_prefix(std::min(notes.size(), description + padded(note.n_descsz)));
    }
  }
  return {};
}

/// One that was linked without a build id goes by its file's name and by how large it is. Takes no
/// memory, as the loader's lock is held.
std::uint64_t module_id(const dl_phdr_info& info) noexcept {
  if (const std::string_view id = build_id(info); !id.empty()) return checksum(id);
  const std::string_view path(info.dlpi_name);
  std::uint64_t out = checksum(path.substr(path.rfind('/') + 1));
  for (const auto* each = info.dlpi_phdr; each != info.dlpi_phdr + info.dlpi_phnum; ++each) {
    const std::array<std::uint64_t, 3> all = {out, each->p_vaddr, each->p_memsz};
    out = checksum({reinterpret_cast<const char*>(all.data()), sizeof(all)});
  }
  return out;
}

int count_segments(dl_phdr_info* info, std::size_t /*size*/, void* out) {
  *static_cast<std::size_t*>(out) += info->dlpi_phnum;
  return 0;
}

/// Up to the capacity of the vector.
int add_segments(dl_phdr_info* info, std::size_t /*size*/, void* out) {
  auto& segments = *static_cast<std::vector<CodeSegment>*>(out);
  const std::uint64_t module = module_id(*info);
  for (const auto* each = info->dlpi_phdr; each != info->dlpi_phdr + info->dlpi_phnum; ++each) {
    if (each->p_type != PT_LOAD || (each->p_flags & PF_X) == 0) continue;
    if (segments.size() == segments.capacity()) return 0;
    const std::uintptr_t begin = info->dlpi_addr + each->p_vaddr;
    segments.push_back({begin, begin + each->p_memsz, info->dlpi_addr, module});
  }
  return 0;
}

/// A table for each thread needs no lock, which a fork could find taken.
class CodeSegments {
 public:
  template <class Matches>
  const CodeSegment* find(Matches matches) {
    if (last_ < all_.size() && matches(all_[last_])) return &all_[last_];
    if (const CodeSegment* known = look(matches)) return known;
    // Libraries may have come since; or gone, which is the affair of those who close them.
    std::size_t count = 0;
    ::dl_iterate_phdr(&count_segments, &count);
    all_.clear();
    all_.reserve(count);
    ::dl_iterate_phdr(&add_segments, &all_);
    return look(matches);
  }

 private:
  template <class Matches>
  const CodeSegment* look(Matches matches) {
    const auto found = std::find_if(all_.begin(), all_.end(), matches);
    if (found == all_.end()) return nullptr;
    last_ = static_cast<std::size_t>(found - all_.begin());
    return &*found;
  }

  std::vector<CodeSegment> all_;
  std::size_t last_ = 0;
};

thread_local CodeSegments segments;

[[noreturn]] void throw_not_here() {
  throw Error(ErrorCode::usage,
              "the task's function is not in the task process: it lies in a library that the "
              "program loaded after muster::init(), or that is another one there",
              "load the library before muster::init()");
}

const CodeSegment* segment_of(std::uintptr_t at) {
  return segments.find([&](const CodeSegment& each) { return at >= each.begin && at < each.end; });
}

}  // namespace

CodeAddress code_address(const void* code) {
  const auto at = reinterpret_cast<std::uintptr_t>(code);
  const CodeSegment* const segment = segment_of(at);
  return segment != nullptr ? CodeAddress{segment->module, at - segment->bias} : CodeAddress{0, at};
}

const void* find_code(const CodeAddress& address) {
  const CodeSegment* const found = segments.find([&](const CodeSegment& each) {
    const std::uintptr_t at = each.bias + address.offset;
    return each.module == address.module && at >= each.begin && at < each.end;
  });
  if (found == nullptr) throw_not_here();
  return reinterpret_cast<const void*>(found->bias + address.offset);
}

void require_code(const void* code) {
  if (segment_of(reinterpret_cast<std::uintptr_t>(code)) == nullptr) throw_not_here();
}

}  // namespace muster::detail
