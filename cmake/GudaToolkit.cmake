# What there is of NVIDIA's toolkit, for tests and benchmarks only: GUDA_NVCC, the compiler, and GUDA_CUDA_INCLUDE, the
# folder with cuda_runtime_api.h. Both may be missing.
find_program(GUDA_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
set(hints $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
if(GUDA_NVCC)
  get_filename_component(compiler ${GUDA_NVCC} REALPATH)
  get_filename_component(beside ${compiler}/../../include ABSOLUTE)
  list(PREPEND hints ${beside})
endif()
find_path(GUDA_CUDA_INCLUDE cuda_runtime_api.h HINTS ${hints})
