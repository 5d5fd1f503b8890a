#include "abi/cublas/lt/vendor_call.h"

#include "abi/cublas/element.h"
#include "abi/cublas/lt/attributes.h"

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>

namespace guda::cublas::lt {
namespace {

using backend::VendorLibrary;
using SetAttribute = int (*)(void* descriptor, int id, const void* value, size_t bytes);

template <typename Function>
Function find(VendorLibrary& library, const char* name) {
  return reinterpret_cast<Function>(library.find(name));
}

/// A descriptor of the vendor's. `value` is what ours would be.
template <class T>
struct VendorDescriptor {
  void* descriptor = nullptr;
  T value{};
};

/// Sets all attributes in which the descriptor is not as `wanted`.
template <class T>
int change(VendorDescriptor<T>& current, const T& wanted, SetAttribute set) {
  auto* now = reinterpret_cast<std::byte*>(&current.value);
  auto* then = reinterpret_cast<const std::byte*>(&wanted);
  for (const Attribute& attribute : attributes_of(wanted)) {
    if (std::memcmp(now + attribute.offset, then + attribute.offset, attribute.stored) == 0)
      continue;
    uint64_t value = 0;
    std::memcpy(&value, then + attribute.offset, attribute.stored);
    if (int code = set(current.descriptor, attribute.id, &value, attribute.size)) return code;
    std::memcpy(now + attribute.offset, then + attribute.offset, attribute.stored);
  }
  return 0;
}

int make_layout(VendorLibrary& library, const Layout& layout, VendorDescriptor<Layout>& out) {
  auto create = find<int (*)(void**, int, uint64_t, uint64_t, int64_t)>(
      library, "cublasLtMatrixLayoutCreate");
  auto set = find<SetAttribute>(library, "cublasLtMatrixLayoutSetAttribute");
  if (create == nullptr || set == nullptr) return kNotSupported;
  if (int code = create(&out.descriptor, layout.type, layout.rows, layout.columns, layout.ld))
    return code;
  out.value = Layout{};
  out.value.type = layout.type;
  out.value.rows = layout.rows;
  out.value.columns = layout.columns;
  out.value.ld = layout.ld;
  return change(out, layout, set);
}

void destroy(VendorLibrary& library, const char* function, void*& descriptor) {
  auto release = find<int (*)(void*)>(library, function);
  if (release != nullptr && descriptor != nullptr) (void)release(descriptor);
  descriptor = nullptr;
}

/// Scalars in host memory are copied.
class KeptScalar {
 public:
  KeptScalar(bool on_host, const void* pointer, size_t bytes)
      : device_(on_host ? nullptr : pointer), on_host_(on_host && pointer != nullptr) {
    if (on_host_) std::memcpy(value_.data(), pointer, bytes);
  }
  const void* get() const { return on_host_ ? value_.data() : device_; }

 private:
  alignas(16) std::array<std::byte, 16> value_{};
  const void* device_;
  bool on_host_;
};

const backend::BlasSettings kNoSettings;

// Matmul -------------------------------------------------------------------------------------------------

/// What the choice of an algorithm depends on.
struct PlanKey {
  void* handle;
  Problem problem;
  size_t workspace_bytes;
  std::array<uint32_t, 4> alignments;
};

template <class T>
bool same_attributes(const T& one, const T& other) {
  auto* first = reinterpret_cast<const std::byte*>(&one);
  auto* second = reinterpret_cast<const std::byte*>(&other);
  return std::ranges::all_of(attributes_of(one), [&](const Attribute& attribute) {
    return std::memcmp(first + attribute.offset, second + attribute.offset, attribute.stored) == 0;
  });
}

/// With nothing but "there is one" left of pointers.
MatmulDescriptor without_addresses(MatmulDescriptor operation) {
  static float some;
  const auto blur = [](auto*& pointer) {
    if (pointer != nullptr)
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(&some);
  };
  blur(operation.bias);
  blur(operation.auxiliary);
  blur(operation.a_scale);
  blur(operation.b_scale);
  blur(operation.c_scale);
  blur(operation.d_scale);
  blur(operation.d_amax);
  blur(operation.auxiliary_scale);
  blur(operation.auxiliary_amax);
  blur(operation.d_out_scale);
  return operation;
}

bool operator==(const PlanKey& one, const PlanKey& other) {
  return one.handle == other.handle && one.workspace_bytes == other.workspace_bytes &&
         one.alignments == other.alignments &&
         same_attributes(without_addresses(one.problem.operation),
                         without_addresses(other.problem.operation)) &&
         same_attributes(one.problem.a, other.problem.a) &&
         same_attributes(one.problem.b, other.problem.b) &&
         same_attributes(one.problem.c, other.problem.c) &&
         same_attributes(one.problem.d, other.problem.d);
}

/// The vendor's descriptors of a problem and the algorithm that it suggests.
struct Plan {
  PlanKey key;
  VendorDescriptor<MatmulDescriptor> operation;
  std::array<VendorDescriptor<Layout>, 4> layouts;
  alignas(8) std::array<std::byte, 64> algorithm{};
  size_t workspace_bytes = 0;
};

uint32_t alignment_of(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  constexpr uintptr_t kMost = 256;
  return static_cast<uint32_t>(address == 0 ? kMost : std::min(kMost, address & (~address + 1)));
}

void forget(VendorLibrary& library, Plan& plan) {
  destroy(library, "cublasLtMatmulDescDestroy", plan.operation.descriptor);
  for (auto& layout : plan.layouts)
    destroy(library, "cublasLtMatrixLayoutDestroy", layout.descriptor);
}

int describe(VendorLibrary& library, Plan& plan) {
  const Problem& problem = plan.key.problem;
  auto create = find<int (*)(void**, int, int)>(library, "cublasLtMatmulDescCreate");
  auto set = find<SetAttribute>(library, "cublasLtMatmulDescSetAttribute");
  if (create == nullptr || set == nullptr) return kNotSupported;
  const MatmulDescriptor& wanted = problem.operation;
  if (int code = create(&plan.operation.descriptor, wanted.compute, wanted.scale_type)) return code;
  plan.operation.value = MatmulDescriptor{};
  plan.operation.value.compute = wanted.compute;
  plan.operation.value.scale_type = wanted.scale_type;
  if (int code = change(plan.operation, wanted, set)) return code;
  const Layout* layouts[] = {&problem.a, &problem.b, &problem.c, &problem.d};
  for (size_t i = 0; i < plan.layouts.size(); ++i) {
    if (int code = make_layout(library, *layouts[i], plan.layouts[i])) return code;
  }
  return 0;
}

int choose(VendorLibrary& library, Plan& plan) {
  constexpr int kWorkspaceBytes = 1, kFirstAlignment = 5;
  auto create = find<int (*)(void**)>(library, "cublasLtMatmulPreferenceCreate");
  auto set = find<SetAttribute>(library, "cublasLtMatmulPreferenceSetAttribute");
  auto suggest =
      find<int (*)(void*, void*, void*, void*, void*, void*, void*, int, HeuristicResult*, int*)>(
          library, "cublasLtMatmulAlgoGetHeuristic");
  if (create == nullptr || set == nullptr || suggest == nullptr) return kNotSupported;
  void* preference = nullptr;
  if (int code = create(&preference)) return code;
  const uint64_t most = plan.key.workspace_bytes;
  int code = set(preference, kWorkspaceBytes, &most, sizeof most);
  for (int i = 0; i < 4 && code == 0; ++i)
    code = set(preference, kFirstAlignment + i, &plan.key.alignments[static_cast<size_t>(i)],
               sizeof(uint32_t));
  HeuristicResult result{};
  int found = 0;
  if (code == 0)
    code = suggest(library.handle, plan.operation.descriptor, plan.layouts[0].descriptor,
                   plan.layouts[1].descriptor, plan.layouts[2].descriptor,
                   plan.layouts[3].descriptor, preference, 1, &result, &found);
  destroy(library, "cublasLtMatmulPreferenceDestroy", preference);
  if (code != 0) return code;
  if (found == 0 || result.state != kSuccess) return kNotSupported;
  std::copy_n(result.algorithm, sizeof result.algorithm, plan.algorithm.begin());
  plan.workspace_bytes = result.workspace_bytes;
  return 0;
}

/// Those of the last problems.
class Plans {
 public:
  static Plans& instance() {
    static auto* plans = new Plans;
    return *plans;
  }
  /// Calls use(plan), with the descriptors as the key's problem has them; one caller at a time.
  template <typename Use>
  int with(VendorLibrary& library, const PlanKey& key, Use use) {
    std::unique_lock lock(mutex_);
    auto found = std::ranges::find_if(plans_, [&](const Plan& each) { return each.key == key; });
    if (found == plans_.end()) {
      Plan plan;
      plan.key = key;
      int code = describe(library, plan);
      if (code == 0) code = choose(library, plan);
      if (code != 0) {
        forget(library, plan);
        return code;
      }
      plans_.push_front(std::move(plan));
      if (plans_.size() > kMost) {
        forget(library, plans_.back());
        plans_.pop_back();
      }
    } else {
      plans_.splice(plans_.begin(), plans_, found);
      auto set = find<SetAttribute>(library, "cublasLtMatmulDescSetAttribute");
      if (int code = change(plans_.front().operation, key.problem.operation, set)) return code;
    }
    return use(plans_.front());
  }

 private:
  static constexpr size_t kMost = 64;
  std::mutex mutex_;
  std::list<Plan> plans_;
};

class MatmulCall final : public backend::LibraryCall {
 public:
  MatmulCall(const Problem& problem, const Inputs& operands, const void* c, void* d,
             void* workspace, size_t workspace_bytes)
      : problem_(problem),
        alpha_(problem.operation.scalar_mode == kHostScalars, operands.alpha, scale_bytes()),
        beta_(problem.operation.scalar_mode == kHostScalars ||
                  problem.operation.scalar_mode == kAlphaVectorBetaHost,
              operands.beta, scale_bytes()),
        a_(operands.a),
        b_(operands.b),
        c_(c),
        d_(d),
        workspace_(workspace),
        workspace_bytes_(workspace != nullptr ? workspace_bytes : 0) {}

  const char* function() const override { return "cublasLtMatmul"; }
  const backend::BlasSettings& settings() const override { return kNoSettings; }
  int call(VendorLibrary& library) const override {
    auto matmul =
        find<int (*)(void*, void*, const void*, const void*, void*, const void*, void*, const void*,
                     const void*, void*, void*, void*, const void*, void*, size_t, void*)>(
            library, "cublasLtMatmul");
    if (matmul == nullptr) return kNotSupported;
    const PlanKey key{library.handle,
                      problem_,
                      workspace_bytes_,
                      {alignment_of(a_), alignment_of(b_), alignment_of(c_), alignment_of(d_)}};
    return Plans::instance().with(library, key, [&](const Plan& plan) {
      return matmul(library.handle, plan.operation.descriptor, alpha_.get(), a_,
                    plan.layouts[0].descriptor, b_, plan.layouts[1].descriptor, beta_.get(), c_,
                    plan.layouts[2].descriptor, d_, plan.layouts[3].descriptor,
                    plan.algorithm.data(), workspace_, plan.workspace_bytes, library.stream);
    });
  }

 private:
  size_t scale_bytes() const { return element_bytes(problem_.operation.scale_type); }

  Problem problem_;
  KeptScalar alpha_, beta_;
  const void *a_, *b_, *c_;
  void* d_;
  void* workspace_;
  size_t workspace_bytes_;
};

}  // namespace

std::unique_ptr<backend::LibraryCall> vendor_matmul(const Problem& problem, const Inputs& operands,
                                                    const void* c, void* d, void* workspace,
                                                    size_t workspace_bytes) {
  if (problem.operation.emulation != nullptr) return nullptr;  // a descriptor of ours
  return std::make_unique<MatmulCall>(problem, operands, c, d, workspace, workspace_bytes);
}

}  // namespace guda::cublas::lt
