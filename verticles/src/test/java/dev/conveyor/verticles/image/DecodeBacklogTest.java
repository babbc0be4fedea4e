package dev.conveyor.verticles.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DecodeBacklogTest {

  private final AtomicInteger workers = new AtomicInteger(1);
  private final DecodeBacklog backlog = new DecodeBacklog(workers::get);
  private final DecodeBacklog.OfModel photos = backlog.new OfModel();
  private final DecodeBacklog.OfModel icons = backlog.new OfModel();

  @Test
  void shouldPredictNothingWhileNoneWaits() {
    photos.took(4_000);
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
    long expected = photos.enter();
    assertThat(photos.work()).as("it is the only one").isEqualTo(Preparation.NONE);
    photos.leave(expected);
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
  }

  @Test
  void shouldAddUpWhatAllModelsWaitFor() {
    photos.took(4_000);
    icons.took(1_000);
    long photo = photos.enter();
    long icon = icons.enter();

    assertThat(photos.ahead()).isEqualTo(new Preparation(1, 4_000 + 1_000 + 4_000));
    assertThat(icons.ahead()).isEqualTo(new Preparation(1, 4_000 + 1_000 + 1_000));
    assertThat(icons.work()).isEqualTo(new Preparation(0, 1_000));
    workers.set(2);
    assertThat(icons.ahead().ns()).isEqualTo(2_500 + 1_000);

    photos.took(12_000);
    photos.leave(photo);
    icons.leave(icon);
    assertThat(icons.ahead()).as("leaves what it entered with").isEqualTo(Preparation.NONE);
  }

  @Test
  void shouldFollowWhatImagesTakeLately() {
    photos.took(8_000);
    photos.took(16_000);
    long expected = photos.enter();
    assertThat(expected).isEqualTo(9_000);
  }
}
