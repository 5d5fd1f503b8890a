// Calibrations and what was learnt, kept in the cache directory: one small text file per engine.
#pragma once

#include "scheduler/engine_model.h"
#include "scheduler/time_model.h"
#include "support/status.h"

#include <string>
#include <vector>

namespace guda::scheduler {

struct EngineRecord {
  EngineModel model;
  std::vector<LearntTime> learnt;
};

/// Files are replaced by rename, so that a reader sees an old or a new one, never half of one.
class ModelStore {
 public:
  /// `directory` empty: keeps nothing. It is made by the first save().
  explicit ModelStore(std::string directory) : directory_(std::move(directory)) {}
  /// In the cache directory of compiled kernels; empty when CUDA_CACHE_DISABLE says so.
  static ModelStore of_process();

  /// Errors: not_found; invalid_value for a file that is damaged, of another version or of another engine.
  Result<EngineRecord> load(const EngineIdentity& identity) const;
  /// Errors: operating_system; not_found when nothing is kept.
  Status save(const EngineIdentity& identity, const EngineRecord& record) const;

  std::string path_of(const EngineIdentity& identity) const;

 private:
  std::string directory_;
};

/// The text of a record; for tests and for people.
std::string to_text(const EngineIdentity& identity, const EngineRecord& record);
/// Error invalid_value.
Result<EngineRecord> from_text(const EngineIdentity& identity, std::string_view text);

}  // namespace guda::scheduler
