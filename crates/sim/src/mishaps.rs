//! What goes wrong: machines that die, lose power, are copied or set up anew, a server that dies, and clocks that people set.

use crate::{
    Violation,
    archive::PRODUCTS,
    queue::{Happening, Place},
    world::World,
};
use agent::machine::Event;
use domain::Span;

impl World {
    pub(crate) fn crash(&mut self) {
        if self.server.service().is_none() || self.calm {
            return;
        }
        self.trace.add(self.now, format_args!("server dies"));
        self.stats.crashes += 1;
        self.server.crash();
        self.oracle.server_died();
        if self.jump_unseen {
            // Nobody could notice a jump that happens together with a death: the clock is set right before the start.
            self.server.set_off(Span(0));
            (self.jump_unseen, self.oracle.clock_wrong) = (false, false);
        }
        let down = if self.chance.permille(100) {
            self.chance.between(3_600, 90_000)
        } else {
            self.chance.between(5, 900)
        };
        self.queue.put(self.now + Span(down), Happening::ServerStart);
    }

    pub(crate) fn jump(&mut self) {
        let Some(mean) = self.faults.clock_jump else { return };
        let gap = self.chance.gap(mean);
        self.queue.put(self.now + gap, Happening::ClockJump);
        if self.server.service().is_none() || self.oracle.clock_wrong || self.calm {
            return;
        }
        let off = match self.chance.below(4) {
            // As a time service does it.
            0 => self.chance.between(-20, 20),
            1 => -self.chance.between(600, 5 * 86_400),
            _ => self.chance.between(3 * 3_600, 12 * 86_400),
        };
        self.stats.jumps += 1;
        self.trace
            .add(self.now, format_args!("somebody sets the server's clock {off} s off"));
        self.server.set_off(Span(off));
        if off.abs() > 20 {
            (self.oracle.clock_wrong, self.jump_unseen) = (true, true);
        }
        self.stampede();
    }

    /// Every agent starts anew, as after an update of its package, and asks for everything at once.
    fn stampede(&mut self) {
        for place in 0..self.machines.len() {
            let machine = &mut self.machines[place];
            if machine.powered && !machine.gone && machine.life.is_some() {
                machine.kill(self.now);
                let span = machine.chance.between(1, 600);
                self.queue.put(self.now + Span(span), Happening::Start(place));
            }
        }
    }

    pub(crate) fn copy_or_take_away(&mut self) {
        if let Some(place) = self.copy.take() {
            self.take_copy_away(place);
        } else if !self.calm {
            let of = usize::try_from(self.chance.below(self.machines.len() as u64)).unwrap_or(0);
            let machine = &self.machines[of];
            if machine.gone || !machine.disk.enrolled || machine.copy_of.is_some() || machine.computer.run.is_some() {
                let again = self.chance.between(3_600, 90_000);
                self.queue.put(self.now + Span(again), Happening::Copy);
                return;
            }
            let place = self.machines.len();
            let copy = machine.copy(self.seed, place as u64, of, self.now);
            self.trace
                .add(self.now, format_args!("{} is copied", machine.computer.name));
            self.oracle.copied(&machine.key_id);
            self.stats.copies += 1;
            self.machines.push(copy);
            self.copy = Some(place);
            self.queue.put(self.now + Span(10), Happening::Start(place));
            let stays = self.chance.between(40_000, 300_000);
            self.queue.put(self.now + Span(stays), Happening::Copy);
        }
    }

    pub(crate) fn take_copy_away(&mut self, place: Place) {
        let now = self.now;
        let machine = &mut self.machines[place];
        machine.kill(now);
        (machine.gone, machine.powered) = (true, false);
        self.oracle.copy_gone(&machine.key_id);
        self.trace
            .add(now, format_args!("{} is taken away", machine.computer.name));
        if let Some(mean) = self.faults.copy {
            let gap = self.chance.gap(mean);
            self.queue.put(now + gap, Happening::Copy);
        }
    }

    /// Cuts the power for a while.
    pub(crate) fn power_off(&mut self, place: Place, low: i64, high: i64) {
        let (now, machine) = (self.now, &mut self.machines[place]);
        machine.kill(now);
        machine.computer.cut();
        machine.powered = false;
        let span = machine.chance.between(low, high);
        self.queue.put(now + Span(span), Happening::PowerOn(place));
    }

    pub(crate) fn mishap(&mut self, place: Place) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let (now, mean) = (self.now, self.faults.mishap);
        let machine = &mut self.machines[place];
        let gap = machine.chance.gap(mean);
        self.queue.put(now + gap, Happening::Mishap(place));
        if !machine.powered || machine.gone || !machine.disk.enrolled {
            return Ok(());
        }
        let kind = machine.chance.below(100);
        let product = usize::try_from(machine.chance.below(PRODUCTS.len() as u64)).unwrap_or(0);
        let name = machine.computer.name.clone();
        match kind {
            0..=19 => {
                self.trace.add(now, format_args!("{name} agent dies"));
                machine.kill(now);
                let span = machine.chance.between(1, 300);
                self.queue.put(now + Span(span), Happening::Start(place));
            }
            20..=39 => {
                self.trace.add(now, format_args!("{name} loses power"));
                self.power_off(place, 60, 3 * 86_400);
            }
            40..=59 if machine.computer.run.is_none() => self.power_off(place, 60, 600),
            60..=69 => {
                if machine.computer.cut() {
                    self.trace.add(now, format_args!("{name} package manager is killed"));
                    self.pump(place)?;
                }
            }
            70..=79 => {
                if machine.computer.by_hand(product) {
                    self.trace
                        .add(now, format_args!("{name} gets {} by hand", PRODUCTS[product].source));
                }
            }
            80..=81 => machine.computer.on_battery = !machine.computer.on_battery,
            82..=84 => {
                machine.computer.held = if machine.computer.held.is_some() {
                    None
                } else {
                    Some(product)
                }
            }
            85..=90 => machine.computer.broken &= machine.computer.run.is_some(),
            91..=93 => {
                self.trace
                    .add(now, format_args!("{name} agent is replaced by a newer one"));
                machine.upgrade(now);
                self.queue.put(now + Span(20), Happening::Start(place));
            }
            94..=96 => self.reinstall(place),
            _ => {
                self.tell(place, Event::Stop);
                if self.machines[place].life.as_ref().is_some_and(|l| l.busy.is_none()) {
                    self.pump(place)?;
                }
            }
        }
        Ok(())
    }

    /// A device is set up anew: nothing on it knows of the server any more, and it enrols as another device.
    fn reinstall(&mut self, place: Place) {
        let now = self.now;
        let copied = self.copy.is_some_and(|copy| self.machines[copy].copy_of == Some(place));
        let machine = &mut self.machines[place];
        if copied || machine.copy_of.is_some() || machine.computer.run.is_some() {
            return;
        }
        self.trace
            .add(now, format_args!("{} is set up anew", machine.computer.name));
        if let Some(old) = self.oracle.keys.get(&machine.key_id) {
            self.oracle.retired.insert(*old);
        }
        machine.set_up_anew(&self.archive, now);
        self.oracle.set_up_anew(place);
        let span = machine.chance.between(600, 20_000);
        self.queue.put(now + Span(span), Happening::Enroll(place));
    }
}
