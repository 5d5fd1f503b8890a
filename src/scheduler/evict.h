#pragma once

#include <cstddef>

namespace guda::scheduler {

/// Erases some element of a hash table that is not empty. `seed` chooses which: begin() is, in some libraries, what was
/// inserted last.
template <typename Map>
void evict_any(Map& map, size_t seed) {
  size_t bucket = seed % map.bucket_count();
  while (map.bucket_size(bucket) == 0) bucket = (bucket + 1) % map.bucket_count();
  map.erase(map.begin(bucket)->first);
}

}  // namespace guda::scheduler
