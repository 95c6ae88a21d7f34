// expect: an argument that is only read can be a std::cref of the object
#include <functional>
#include <string>

#include <muster/muster.hpp>

void extend(std::string& text) { text += "!"; }

void use(muster::ProcessPoolExecutor& pool, std::string& text) {
  pool.submit(extend, std::ref(text));
}
