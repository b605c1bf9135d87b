# Examples: every file is one program.
file(GLOB sources CONFIGURE_DEPENDS examples/*.cc)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  target_link_libraries(example_${name} PRIVATE tenure::tenure)
endforeach()
