#include <muster/patterns/pipeline_submissions.hpp>

namespace muster::detail {

bool PipelineTicket::cancel(SharedStateBase& /*work*/) { return flow_->cancel(*this); }

void PipelineSubmissions::submit(std::any input, const std::shared_ptr<PipelineTicket>& ticket) {
  PipelineItems item(1);
  item.front().value = std::move(input);
  item.front().ticket = ticket;
  ticket->flow_ = std::static_pointer_cast<PipelineSubmissions>(shared_from_this());
  Lock held = lock();
  item.front().position = next_position_++;
  ticket->item_ = item.begin();
  ticket->on_its_way_ = true;
  ++on_their_way_;
  enter(std::move(item), std::move(held));
}

void PipelineSubmissions::arrive(PipelineItems item, Lock lock) {
  PipelineTicket& ticket = *item.front().ticket;
  ticket.on_its_way_ = false;
  lock.unlock();
  if (item.front().cancelled) {
    ticket.finish_cancelled();
  } else {
    ticket.finish(item.front());
  }
  note_end();
}

bool PipelineSubmissions::cancel(PipelineTicket& ticket) {
  std::any task;
  std::shared_ptr<const PipelineStage> runs_in;  // drain() lets go of them
  PipelineItems taken;
  {
    const Lock held = lock();
    if (!ticket.on_its_way_) return false;
    const PipelineItem& item = *ticket.item_;
    if (item.place != PipelineItem::Place::active) {
      taken = take_idle(ticket.item_);
      ticket.on_its_way_ = false;
      will_pump();
    } else if (item.submitted) {
      task = item.value;
      runs_in = shared_stage(item.stage);
    } else {
      return false;  // being handed over at this moment
    }
  }
  if (runs_in != nullptr) return runs_in->cancel(task);  // its callback ends the item
  ticket.finish_cancelled();
  note_end();
  pump();
  return true;
}

// After the future is done and its callbacks have run: who drains may count on that.
void PipelineSubmissions::note_end() {
  Lock held = lock();
  --on_their_way_;
  leave(std::move(held));
}

void PipelineSubmissions::drain() {
  Lock held = lock();
  sleep_until_ready(held, std::nullopt);
  held.unlock();
  release();
}

}  // namespace muster::detail
