# GUDA_INTEL_OPENCL: Intel's OpenCL runtime for CPUs, for tests (scripts/setup fetches it); may be missing. Tests on it run
# with the variables GUDA_INTEL_OPENCL_ENVIRONMENT, LD_LIBRARY_PATH apart, which has to begin with its folder.
find_file(GUDA_INTEL_OPENCL libintelocl.so HINTS ${CMAKE_SOURCE_DIR}/build/opencl/lib NO_DEFAULT_PATH)
if(GUDA_INTEL_OPENCL)
  get_filename_component(GUDA_INTEL_OPENCL_FOLDER ${GUDA_INTEL_OPENCL} DIRECTORY)
  # No other driver beside it: its folder has a loader of its own.
  set(GUDA_INTEL_OPENCL_ENVIRONMENT OCL_ICD_FILENAMES=${GUDA_INTEL_OPENCL} OCL_ICD_VENDORS=/nonexistent)
else()
  message(STATUS "No OpenCL runtime of Intel's: OpenCL is tested with what is installed only")
endif()
