# What there is of NVIDIA's toolkit, for tests and benchmarks only: GUDA_NVCC, the compiler, and the folders with
# cuda_runtime_api.h (GUDA_CUDA_INCLUDE) and cublasLt.h (GUDA_CUBLAS_INCLUDE). All may be missing; a compiler from PyPI
# has no cuBLAS beside it.
find_program(GUDA_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
set(hints $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
if(GUDA_NVCC)
  get_filename_component(compiler ${GUDA_NVCC} REALPATH)
  get_filename_component(beside ${compiler}/../../include ABSOLUTE)
  list(PREPEND hints ${beside})
endif()
find_path(GUDA_CUDA_INCLUDE cuda_runtime_api.h HINTS ${hints})
find_path(GUDA_CUBLAS_INCLUDE cublasLt.h PATHS ${GUDA_CUDA_INCLUDE} NO_DEFAULT_PATH)  # of the same toolkit
