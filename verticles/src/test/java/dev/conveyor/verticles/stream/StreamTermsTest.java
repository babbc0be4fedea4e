package dev.conveyor.verticles.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.InferenceException;
import org.junit.jupiter.api.Test;

class StreamTermsTest {

  private static final StreamTerms USUAL = new StreamTerms(FramePolicy.BLOCK, 64, true);

  @Test
  void shouldTakeWhatIsUsualWhereNothingIsSaid() {
    assertThat(StreamTerms.of(null, null, null, USUAL)).isEqualTo(USUAL);
  }

  @Test
  void shouldHaveTwoFramesUnderWayWhereFramesMayBeLost() {
    assertThat(StreamTerms.of("latest", null, null, USUAL).maxInFlight()).isEqualTo(2);
    assertThat(StreamTerms.of("drop", null, null, USUAL).maxInFlight()).isEqualTo(2);
    StreamTerms one = new StreamTerms(FramePolicy.BLOCK, 1, true);
    assertThat(StreamTerms.of("drop", null, null, one).maxInFlight()).isEqualTo(1);
  }

  @Test
  void shouldTakeWhatTheClientSays() {
    assertThat(StreamTerms.of("latest", "5", "as_completed", USUAL))
        .isEqualTo(new StreamTerms(FramePolicy.LATEST, 5, false));
    assertThat(StreamTerms.of("block", "64", "in_order", USUAL))
        .isEqualTo(new StreamTerms(FramePolicy.BLOCK, 64, true));
  }

  @Test
  void shouldRefuseWhatItDoesNotKnow() {
    refuses("newest", null, null, "frame_policy must be block, drop or latest, was 'newest'");
    refuses(null, "0", null, "frames_in_flight must be a number from 1 to 64, was '0'");
    refuses(null, "65", null, "frames_in_flight must be a number from 1 to 64, was '65'");
    refuses(null, "two", null, "frames_in_flight must be a number from 1 to 64, was 'two'");
    refuses(null, null, "any", "answer_order must be in_order or as_completed, was 'any'");
  }

  private static void refuses(String policy, String inFlight, String order, String message) {
    assertThatThrownBy(() -> StreamTerms.of(policy, inFlight, order, USUAL))
        .isInstanceOf(InferenceException.class)
        .hasMessage(message);
  }
}
