package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The schema of the server's configuration and its reader are written apart; they have to agree.
 */
class ServerSchemaTest {

  private static final JsonSchema SCHEMA = Schemas.schema("server-config");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'$schema': 'schema/server-config.schema.json', 'log_format': 'text'}",
        "{'model_repository': '/models', 'http': {'port': 0}, 'grpc': {'host': '::1'}}",
        "{'limits': {'max_message_bytes': '1024', 'max_queue_size': 1, 'body_timeout_ms': 1,"
            + " 'load_timeout_ms': '1'}}",
        "{'tenants': {'max_tracked': 1, 'others': {'weight': 2}, 'named': {'a': {}, 'b': {"
            + "'weight': 0.5, 'quota': {'requests_per_second': 10, 'burst': 1}}}}}",
        "{'devices': {'cpu': {'cores': 2, 'memory_budget_bytes': '0'}, 'gpu': {'min_compute_capability': 8.6}}, 'log_format': 'json'}",
        "{'event_bus': {'enabled': false, 'address_prefix': 'a'}, 'shutdown_grace_ms': 0}",
        "{'profiles': {'warmup_ms': 0, 'stored': false}}",
      })
  void shouldAcceptServerConfigurationsThatTheReaderAccepts(String sample) {
    String json = sample.replace('\'', '"');

    assertThat(SCHEMA.validate(json, InputFormat.JSON)).isEmpty();
    assertThatCode(() -> ServerConfigReader.read("f", json)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'http': 8000}",
        "{'$schema': 1}",
        "{'http': {'$schema': 's'}}",
        "{'http': {'port': '8000'}}",
        "{'http': {'port': 65536}}",
        "{'http': {'port': -1}}",
        "{'http': {'host': ' '}}",
        "{'https': {}}",
        "{'model_repository': ''}",
        "{'model_repository': ['a']}",
        "{'limits': {'max_message_bytes': 0}}",
        "{'limits': {'max_message_bytes': 2147483648}}",
        "{'limits': {'max_header_bytes': 100}}",
        "{'limits': {'max_connections': 0}}",
        "{'limits': {'max_image_pixels': '-1'}}",
        "{'devices': {'cpu': {'cores': -1}}}",
        "{'devices': {'gpu': {'batches_in_flight': 0}}}",
        "{'devices': {'gpu': {'spin': 1}}}",
        "{'devices': {'gpu': {'placement': 'auto'}}}",
        "{'devices': {'cpus': {}}}",
        "{'profiles': {'warmup_ms': -1}}",
        "{'profiles': {'warmup_ms': 600001}}",
        "{'profiles': {'stored': 1}}",
        "{'profiles': {'samples': 1}}",
        "{'event_bus': {'enabled': 1}}",
        "{'event_bus': {'address_prefix': ''}}",
        "{'shutdown_grace_ms': -1}",
        "{'limits': {'body_timeout_ms': 0}}",
        "{'limits': {'load_timeout_ms': 0}}",
        "{'tenants': {'max_tracked': 0}}",
        "{'tenants': {'gold': {}}}",
        "{'tenants': {'others': {'weight': 0}}}",
        "{'tenants': {'named': {'': {}}}}",
        "{'tenants': {'named': {'a': {'share': 1}}}}",
        "{'tenants': {'named': {'a': {'quota': {'burst': 5}}}}}",
        "{'log_format': 'xml'}",
      })
  void shouldRefuseServerConfigurationsThatTheReaderRefuses(String sample) {
    String json = sample.replace('\'', '"');

    assertThat(SCHEMA.validate(json, InputFormat.JSON)).isNotEmpty();
    assertThatThrownBy(() -> ServerConfigReader.read("f", json))
        .isInstanceOf(ConfigException.class);
  }
}
