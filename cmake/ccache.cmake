# The presets compile through ccache where it is installed.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Files that read precompiled headers pass ccache by (its sloppiness stays off): GCC knows a header in them by its time, which differs in
  # another clone. With -DTENURE_PCH=OFF everything is cached.
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}" CACHE STRING "")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}" CACHE STRING "")
endif()
