// Host callbacks in a stream: cudaLaunchHostFunc and cudaStreamAddCallback.
#pragma once

#include "runtime/context.h"
#include "runtime/operation.h"

namespace guda::runtime {

class HostOperation final : public Operation {
 public:
  using Function = void (*)(void*);
  HostOperation(Function function, void* data) : function_(function), data_(data) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    function_(data_);
    return Status::ok();
  }
  std::unique_ptr<Operation> clone() const override {
    return std::make_unique<HostOperation>(*this);
  }
  Function function() const { return function_; }
  void* data() const { return data_; }

 private:
  Function function_;
  void* data_;
};

/// Also called after an error, with its code.
class CallbackOperation final : public Operation {
 public:
  using Function = void (*)(void* stream, int status, void* data);
  CallbackOperation(Function function, void* stream, void* data)
      : function_(function), stream_(stream), data_(data) {}
  OperationKind operation_kind() const override { return OperationKind::nothing; }
  Status execute() override {
    function_(stream_, Context::instance().sticky_error(), data_);
    return Status::ok();
  }
  bool runs_after_error() const override { return true; }

 private:
  Function function_;
  void* stream_;
  void* data_;
};

}  // namespace guda::runtime
