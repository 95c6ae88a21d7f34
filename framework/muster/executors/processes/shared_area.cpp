#include <cerrno>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/processes/shared_area.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t header_bytes =
    (sizeof(SharedHeader) + page_bytes - 1) / page_bytes * page_bytes;

std::size_t area_bytes(const AreaGeometry& geometry) {
  return header_bytes + 2 * static_cast<std::size_t>(geometry.ring_bytes);
}

void* map_memory(int memory, std::size_t size) {
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (base == MAP_FAILED) throw system_error(errno, "cannot map the memory of a task process");
  return base;
}

}  // namespace

SharedArea SharedArea::create(const AreaGeometry& geometry, UniqueFd& memory) {
  MUSTER_ASSERT(geometry.slot_count >= 1 && geometry.slot_count <= slots_max);
  const std::size_t size = area_bytes(geometry);
  UniqueFd fd(::memfd_create("muster-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw system_error(errno, "cannot make the memory of a task process");
  }
  void* base = map_memory(fd.get(), size);
  ::new (base) SharedHeader{};
  SharedArea area(base, geometry);
  area.header().geometry = geometry;
  memory = std::move(fd);
  return area;
}

SharedArea SharedArea::map(int memory) {
  // The header first, to learn the size of the rest.
  void* header = map_memory(memory, header_bytes);
  const AreaGeometry geometry = static_cast<const SharedHeader*>(header)->geometry;
  ::munmap(header, header_bytes);
  return SharedArea(map_memory(memory, area_bytes(geometry)), geometry);
}

SharedArea::SharedArea(void* base, const AreaGeometry& geometry)
    : header_(static_cast<SharedHeader*>(base)), geometry_(geometry) {}

SharedArea::SharedArea(SharedArea&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)), geometry_(other.geometry_) {}

SharedArea::~SharedArea() {
  if (header_ != nullptr) ::munmap(header_, area_bytes(geometry_));
}

char* SharedArea::to_child_data() const noexcept {
  return reinterpret_cast<char*>(header_) + header_bytes;
}

char* SharedArea::to_parent_data() const noexcept { return to_child_data() + geometry_.ring_bytes; }

}  // namespace muster::detail
