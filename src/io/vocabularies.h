// Vocabularies beside the configuration of a .keras archive: assets/<path of the layer>/vocabulary.txt, and idf weights among the weights.
// Nothing here owns anything.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "files/hdf5.h"
#include "files/hdf5_write.h"
#include "files/zip.h"
#include "io/archive.h"
#include "io/weights.h"

namespace tenure::io {

/// The vars groups of a layer in which idf weights stand: its own and, of TextVectorization, that of the lookup inside, as Keras has it.
/// Empty for layers without a vocabulary.
std::vector<std::string> vocabulary_groups(const WeightGroup& g);
/// Gives every layer that learned a vocabulary what the archive has of it.
void read_vocabularies(const std::vector<WeightGroup>& groups, const Archive& archive, const std::optional<files::Hdf5Node>& root);
void write_vocabularies(const LayerBody& model, files::ZipWriter& zip);
/// idf weights, into groups that exist or are made.
void write_idf(const WeightGroup& g, files::Hdf5Writer& out);

}  // namespace tenure::io
