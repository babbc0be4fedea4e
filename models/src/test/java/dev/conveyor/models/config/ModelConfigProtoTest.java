package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.conveyor.models.proto.DataType;
import dev.conveyor.models.proto.ModelConfig;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Clients hold the other side of this contract: a changed number breaks them without an error. */
class ModelConfigProtoTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ModelConfig | 1 name, 2 platform, 3 version_policy, 4 max_batch_size, 5 input, 6 output,"
            + " 7 instance_group, 8 default_model_filename, 9 cc_model_filenames, 10 metric_tags,"
            + " 11 dynamic_batching, 12 optimization, 13 sequence_batching, 14 parameters,"
            + " 15 ensemble_scheduling, 16 model_warmup, 17 backend, 18 model_operations,"
            + " 19 model_transaction_policy, 20 batch_input, 21 batch_output,"
            + " 23 model_repository_agents, 24 response_cache, 25 runtime, 26 model_metrics",
        "ModelInput | 1 name, 2 data_type, 3 format, 4 dims, 5 reshape, 6 is_shape_tensor,"
            + " 7 allow_ragged_batch, 8 optional, 9 is_non_linear_format_io",
        "ModelOutput | 1 name, 2 data_type, 3 dims, 4 label_filename, 5 reshape,"
            + " 6 is_shape_tensor, 7 is_non_linear_format_io",
        "ModelInstanceGroup | 1 name, 2 count, 3 gpus, 4 kind, 5 profile, 6 rate_limiter,"
            + " 7 passive, 8 secondary_devices, 9 host_policy, 1000 isolation, 1001 gpu_uuids",
        "ModelDynamicBatching | 1 preferred_batch_size, 2 max_queue_delay_microseconds,"
            + " 3 preserve_ordering, 4 priority_levels, 5 default_priority_level,"
            + " 6 default_queue_policy, 7 priority_queue_policy",
        "ModelQueuePolicy | 1 timeout_action, 2 default_timeout_microseconds,"
            + " 3 allow_timeout_override, 4 max_queue_size",
        "ModelVersionPolicy | 1 latest, 2 all, 3 specific",
        "ModelWarmup | 1 name, 2 batch_size, 3 inputs, 4 count",
        "ModelParameter | 1 string_value",
      })
  void shouldKeepTheFieldNumbersOfTriton(String message, String fields) {
    Descriptor type = ModelConfig.getDescriptor().getFile().findMessageTypeByName(message);

    assertThat(type.getFullName()).isEqualTo("inference." + message);
    assertThat(
            type.getFields().stream()
                .sorted()
                .map((FieldDescriptor field) -> field.getNumber() + " " + field.getName())
                .collect(Collectors.joining(", ")))
        .isEqualTo(fields);
  }

  @ParameterizedTest
  @CsvSource({"TYPE_BOOL, 1", "TYPE_UINT64, 5", "TYPE_INT64, 9", "TYPE_FP16, 10"})
  void shouldKeepTheTypeNumbersOfTriton(String name, int number) {
    assertThat(DataType.valueOf(name).getNumber()).isEqualTo(number);
    assertThat(DataType.TYPE_FP64.getNumber()).isEqualTo(12);
    assertThat(DataType.TYPE_STRING.getNumber()).isEqualTo(13);
    assertThat(DataType.TYPE_BF16.getNumber()).isEqualTo(14);
  }
}
