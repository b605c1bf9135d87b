// Sequences without alignment: connectionist temporal classification (Graves et al., 2006), as keras.ops.nn has it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <tenure/tensor.h>

namespace tenure {

/// -log P(target | output), one a sample: the probability of all alignments of the labels `target` [batch, labels] with the logits `output`
/// [batch, steps, classes]. target_length and output_length [batch] say how much of each row counts. mask_index is the class that stands for no label,
/// counted from the end if it is negative; it cannot be a label. Where the steps are too few for the labels the loss is about 707, as in Keras on TensorFlow.
TENURE_API Tensor ctc_loss(Tensor target, Tensor output, Tensor target_length, Tensor output_length, int64_t mask_index = 0);

/// {decoded, scores}: the labels of logits [batch, steps, classes], of which sequence_lengths [batch] count. strategy greedy: the best class of every
/// step; beam_search: the likeliest label sequences among `beam_width` beams. decoded int32 [paths, batch, steps] is filled up with -1; scores
/// [batch, paths] are the negated sum of the chosen logits (greedy) or log probabilities. Neighbours that repeat are one label: always in the beam
/// search, with merge_repeated in the greedy one. mask_index: the class for no label, the last one if nothing is given. top_paths is for beam_search.
TENURE_API Tensors ctc_decode(Tensor inputs, Tensor sequence_lengths, std::string_view strategy = "greedy", int64_t beam_width = 100,
                              int64_t top_paths = 1, bool merge_repeated = true, std::optional<int64_t> mask_index = 0);

}  // namespace tenure
