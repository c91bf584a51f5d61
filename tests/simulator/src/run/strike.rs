//! Makes the faults of spec/sync.md 10.2 happen.

use super::Run;
use crate::disk::{Fault, HostId};
use crate::faults::{FaultKind, spans};
use crate::sim::Event;
use crate::world::{Checked, HostEvent, Role, World};

impl<W: World> Run<'_, W> {
    /// Draws a fault that the world can meet and makes it happen. One whose host is down just now is let go.
    pub(super) fn strike(&mut self) -> Checked {
        let supported = self.world.faults().to_vec();
        let Some(kind) = self.profile.draw_fault(&supported, &mut self.sim.rng) else { return Ok(()) };
        let (Some(device), Some(server)) = (self.draw_host(Role::Device), self.draw_host(Role::Server))
        else {
            return Ok(());
        };
        let has_happened = match kind {
            FaultKind::DeviceFuse => self.light_fuse(device, spans::DEVICE_FUSE_CALLS),
            FaultKind::ServerFuse => self.light_fuse(server, spans::SERVER_FUSE_CALLS),
            FaultKind::DeviceCrash => self.crash_now(device),
            FaultKind::ServerCrash => self.crash_now(server),
            FaultKind::Partition => self.partition(device, server),
            FaultKind::PushBlackhole => {
                let until = self.sim.now.plus_ms(self.draw(spans::PARTITION_MS));
                self.sim.net.blackhole(device, "/push", until);
                true
            }
            FaultKind::Pause => self.pause(device)?,
            FaultKind::DiskFailure => self.fail_a_call(device, server),
            FaultKind::BitRot => self.rot(device)?,
            FaultKind::ClockJump => self.set_clock(device)?,
            FaultKind::DeviceBackup => self.back_up(device)?,
            FaultKind::ServerBackup => self.back_up(server)?,
            FaultKind::DeviceRestore => self.restore(device, false)?,
            FaultKind::ServerRestore => {
                let announced = self.sim.rng.chance(500);
                self.restore(server, announced)?
            }
            FaultKind::LyingSync => {
                self.sim.disk.lie(device);
                self.world.on_host_event(device, HostEvent::LyingSync, self.sim)?;
                true
            }
        };
        if has_happened {
            self.sim.count(kind.name());
            self.sim.log(|_| format!("fault {}", kind.name()));
        }
        Ok(())
    }

    fn draw_host(&mut self, role: Role) -> Option<HostId> {
        let hosts = self.hosts_of(role);
        self.sim.rng.pick(&hosts).copied()
    }

    fn draw(&mut self, span: (u64, u64)) -> u64 {
        self.sim.rng.between(span.0, span.1)
    }

    fn light_fuse(&mut self, host: HostId, span: (u64, u64)) -> bool {
        let calls = u32::try_from(self.draw(span)).unwrap_or(0);
        let sectors = usize::try_from(self.draw(spans::FUSE_SECTORS)).unwrap_or(0);
        self.sim.disk.set_fuse(host, calls, sectors);
        !self.is_down(host)
    }

    fn crash_now(&mut self, host: HostId) -> bool {
        if self.is_down(host) {
            return false;
        }
        self.crash(host);
        true
    }

    fn partition(&mut self, device: HostId, server: HostId) -> bool {
        let until = self.sim.now.plus_ms(self.draw(spans::PARTITION_MS));
        let directions: &[(HostId, HostId)] = match self.sim.rng.below(3) {
            0 => &[(device, server)],
            1 => &[(server, device)],
            _ => &[(device, server), (server, device)],
        };
        for (from, to) in directions {
            self.sim.net.cut(*from, *to, until);
        }
        true
    }

    fn pause(&mut self, device: HostId) -> Result<bool, crate::world::Violation> {
        if !self.is_awake(device) {
            return Ok(false);
        }
        self.world.on_host_event(device, HostEvent::Pause, self.sim)?;
        if let Some(state) = self.sim.hosts.get_mut(&device) {
            state.is_paused = true;
        }
        self.plan_in(spans::PAUSE_MS, Event::Resume { host: device });
        Ok(true)
    }

    fn fail_a_call(&mut self, device: HostId, server: HostId) -> bool {
        let host = if self.sim.rng.chance(700) { device } else { server };
        let fault = match self.sim.rng.below(3) {
            0 => Fault::Io,
            1 => Fault::Full,
            _ => Fault::Busy,
        };
        let calls = u32::try_from(self.draw(spans::SERVER_FUSE_CALLS)).unwrap_or(0);
        self.sim.disk.arm(host, fault, calls);
        true
    }

    /// A bit flips while the device is down, and is met when it starts again.
    fn rot(&mut self, device: HostId) -> Result<bool, crate::world::Violation> {
        let files = self.sim.hosts.get(&device).map(|state| state.public_files.clone()).unwrap_or_default();
        let Some(file) = self.sim.rng.pick(&files).cloned() else { return Ok(false) };
        self.crash_now(device);
        let is_flipped = self.sim.disk.rot(device, &file, &mut self.sim.rng);
        self.world.on_host_event(device, HostEvent::Rotted, self.sim)?;
        Ok(is_flipped)
    }

    fn set_clock(&mut self, device: HostId) -> Result<bool, crate::world::Violation> {
        let error_ms = self.sim.rng.below(2 * spans::CLOCK_ERROR_MS_MAX + 1);
        let error_us = (error_ms as i64 - spans::CLOCK_ERROR_MS_MAX as i64) * 1000;
        if let Some(state) = self.sim.hosts.get_mut(&device) {
            state.clock.set_wall_error_us(error_us);
        }
        if self.is_awake(device) {
            self.world.on_host_event(device, HostEvent::ClockSet, self.sim)?;
        }
        Ok(true)
    }

    fn back_up(&mut self, host: HostId) -> Result<bool, crate::world::Violation> {
        let image = self.sim.disk.image(host);
        self.images.insert(host, image);
        self.world.on_host_event(host, HostEvent::BackedUp, self.sim)?;
        Ok(true)
    }

    fn restore(&mut self, host: HostId, announced: bool) -> Result<bool, crate::world::Violation> {
        if !self.images.contains_key(&host) {
            return Ok(false);
        }
        self.crash_now(host);
        if let Some(image) = self.images.get(&host) {
            self.sim.disk.restore(host, image);
        }
        self.world.on_host_event(host, HostEvent::Restored { announced }, self.sim)?;
        Ok(true)
    }
}
