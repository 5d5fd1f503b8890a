#include "compiler/target/lane_test.h"

#include <dlfcn.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <limits>

#include "compiler/target/lane_builder.h"
#include "compiler/target/target.h"

namespace guda::target::testing {
namespace {

llvm::Type* element_type(llvm::LLVMContext& context, Element element) {
  switch (element) {
    case Element::i8: return llvm::Type::getInt8Ty(context);
    case Element::i16: return llvm::Type::getInt16Ty(context);
    case Element::i32: return llvm::Type::getInt32Ty(context);
    case Element::i64: return llvm::Type::getInt64Ty(context);
    case Element::f32: return llvm::Type::getFloatTy(context);
    case Element::f64: return llvm::Type::getDoubleTy(context);
    case Element::f16: return llvm::Type::getHalfTy(context);
    case Element::bf16: return llvm::Type::getBFloatTy(context);
  }
  return nullptr;
}

/// void lanes<N>(ptr result, ptr arg0, ptr arg1 ...): one warp piece of N lanes.
void add_function(llvm::Module& module, const Operation& operation, unsigned lanes,
                  const llvm::TargetMachine& machine) {
  llvm::LLVMContext& context = module.getContext();
  auto shaped = [&](Element element) -> llvm::Type* {
    llvm::Type* type = element_type(context, element);
    return lanes ? llvm::FixedVectorType::get(type, lanes) : type;
  };
  auto* pointer = llvm::PointerType::get(context, 0);
  std::vector<llvm::Type*> pointers(operation.arguments.size() + 1, pointer);
  auto* function = llvm::Function::Create(
      llvm::FunctionType::get(llvm::Type::getVoidTy(context), pointers, false),
      llvm::Function::ExternalLinkage, "lanes" + std::to_string(lanes), module);
  const std::string bits = std::to_string(vector_bits(machine));
  function->addFnAttr("prefer-vector-width", bits);
  function->addFnAttr("min-legal-vector-width", bits);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", function));
  llvm::Instruction* end = builder.CreateRetVoid();
  const CpuFeatures features = cpu_features(machine);
  LaneBuilder b(end, lanes, features);
  std::vector<llvm::Value*> values;
  std::vector<llvm::Type*> types;
  for (size_t i = 0; i < operation.arguments.size(); ++i) {
    types.push_back(shaped(operation.arguments[i]));
    values.push_back(b.CreateAlignedLoad(types.back(), function->getArg(i + 1), llvm::Align(1)));
  }
  if (operation.last_constant) {
    types.push_back(b.i32());
    values.push_back(b.i32_constant(*operation.last_constant));
  }
  llvm::Value* result = nullptr;
  if (operation.build) {
    result = operation.build(b, values);
  } else {
    const std::string name = "ptx." + operation.name + (lanes ? ".v" + std::to_string(lanes) : "");
    llvm::FunctionCallee callee = module.getOrInsertFunction(
        name, llvm::FunctionType::get(shaped(operation.result), types, false));
    result = b.CreateCall(callee, values);
  }
  b.CreateAlignedStore(result, function->getArg(0), llvm::Align(1));
}

constexpr unsigned kLaneCounts[] = {0, 8, 16, 32};

}  // namespace

size_t element_bytes(Element element) {
  switch (element) {
    case Element::i8: return 1;
    case Element::i16:
    case Element::f16:
    case Element::bf16: return 2;
    case Element::i32:
    case Element::f32: return 4;
    default: return 8;
  }
}

std::vector<LaneRun> run_everywhere(const Operation& operation, const std::vector<Bytes>& inputs,
                                    size_t count) {
  std::vector<LaneRun> runs;
  for (const char* cpu : {"native", "x86-64-v3"}) {
    auto machine = make_target_machine(cpu);
    if (!machine) {
      ADD_FAILURE() << machine.status().message();
      continue;
    }
    llvm::LLVMContext context;
    llvm::Module module(operation.name, context);
    module.setTargetTriple((*machine)->getTargetTriple());
    module.setDataLayout((*machine)->createDataLayout());
    for (unsigned lanes : kLaneCounts) add_function(module, operation, lanes, **machine);
    if (Status status = expand_lane_ops(module, **machine); !status) {
      ADD_FAILURE() << status.message();
      continue;
    }
    std::string path = ::testing::TempDir() + "guda_lanes_" + std::to_string(getpid()) + ".so";
    if (Status status = emit_shared_object(module, **machine, path); !status) {
      ADD_FAILURE() << operation.name << " for " << cpu << ": " << status.message();
      continue;
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    unlink(path.c_str());
    if (!library) {
      ADD_FAILURE() << dlerror();
      continue;
    }
    for (unsigned lanes : kLaneCounts) {
      void* symbol = dlsym(library, ("lanes" + std::to_string(lanes)).c_str());
      const size_t step = lanes ? lanes : 1;
      LaneRun run;
      run.configuration = std::string(cpu) + ", " + std::to_string(lanes) + " lanes";
      run.result.resize(count * element_bytes(operation.result));
      for (size_t first = 0; first < count; first += step) {
        std::byte* out = run.result.data() + first * element_bytes(operation.result);
        const std::byte* in[3] = {};
        for (size_t a = 0; a < inputs.size(); ++a)
          in[a] = inputs[a].data() + first * element_bytes(operation.arguments[a]);
        reinterpret_cast<void (*)(std::byte*, const std::byte*, const std::byte*,
                                  const std::byte*)>(symbol)(out, in[0], in[1], in[2]);
      }
      runs.push_back(std::move(run));
    }
    dlclose(library);
  }
  return runs;
}

std::vector<float> interesting_f32(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const float infinity = std::numeric_limits<float>::infinity();
  const float corners[] = {0.0f,
                           -0.0f,
                           1.0f,
                           -1.0f,
                           0.5f,
                           -0.5f,
                           1.5f,
                           2.5f,
                           -2.5f,
                           3.0f,
                           0x1p-149f,
                           -0x1p-149f,
                           0x1p-126f,
                           0x1.fffffcp-127f,
                           0x1.fffffep127f,
                           -0x1.fffffep127f,
                           infinity,
                           -infinity,
                           std::nanf(""),
                           2147483648.0f,
                           -2147483648.0f,
                           4294967296.0f,
                           255.5f,
                           -128.5f,
                           32767.5f,
                           65535.5f,
                           0.1f,
                           0x1p24f,
                           9223372036854775808.0f,
                           18446744073709551616.0f,
                           -0.3f,
                           -0.7f};
  std::vector<float> values(count);
  for (float& value : values) {
    switch (random() % 4) {
      case 0: value = corners[random() % std::size(corners)]; break;
      case 1: value = std::bit_cast<float>(static_cast<uint32_t>(random())); break;
      case 2: value = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-24f; break;
      default:
        value = std::ldexp(static_cast<float>(static_cast<int32_t>(random())),
                           static_cast<int>(random() % 40) - 31);
    }
  }
  return values;
}

std::vector<double> interesting_f64(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const double infinity = std::numeric_limits<double>::infinity();
  const double corners[] = {0.0,
                            -0.0,
                            1.0,
                            -1.0,
                            0.5,
                            -0.5,
                            1.5,
                            2.5,
                            -2.5,
                            0x1p-1074,
                            -0x1p-1074,
                            0x1p-1022,
                            0x1.fffffffffffffp1023,
                            -0x1.fffffffffffffp1023,
                            infinity,
                            -infinity,
                            std::nan(""),
                            2147483647.5,
                            -2147483648.5,
                            4294967295.5,
                            9223372036854775808.0,
                            18446744073709551616.0,
                            0x1p-149,
                            0x1p-150,
                            0x1.8p-150,
                            0x1.fffffffp127,
                            65519.99,
                            65520.0,
                            0x1p-25,
                            0x1.1p-25,
                            0.1,
                            -0.3};
  std::vector<double> values(count);
  for (double& value : values) {
    switch (random() % 4) {
      case 0: value = corners[random() % std::size(corners)]; break;
      case 1: value = std::bit_cast<double>(random()); break;
      case 2: value = static_cast<double>(static_cast<int64_t>(random())) * 0x1p-55; break;
      default:
        value = std::ldexp(static_cast<double>(static_cast<int64_t>(random())),
                           static_cast<int>(random() % 300) - 200);
    }
  }
  return values;
}

}  // namespace guda::target::testing
