// What arguments and results of tasks in other processes may be.
#include <cstdint>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <muster/muster.hpp>

struct Page {
  std::string url;
  std::vector<std::string> links;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(url, links);
  }
};

Page fetch(const std::string& url) { return {url, {url + "/a", url + "/b"}}; }

std::size_t count_links(const Page& page) { return page.links.size(); }

using Image = std::vector<std::uint8_t>;

std::uint64_t checksum(const Image& image) {
  return std::accumulate(image.begin(), image.end(), std::uint64_t{0});
}

int main() {
  muster::init();
  muster::ProcessPoolExecutor pool({.max_workers = 2});

  Page page = pool.submit(fetch, "https://example.org").result();
  std::printf("%zu links\n", pool.submit(count_links, page).result());

  const Image image(1'000'000, 3);
  auto future = pool.submit(checksum, std::cref(image));  // the image is not copied here
  future.result();                                        // it may go now
  std::printf("%llu\n", static_cast<unsigned long long>(future.result()));
}
