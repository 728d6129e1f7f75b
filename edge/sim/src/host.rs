//! A box that exists only as numbers: believable ones, that change.
//!
//! Everything follows from the box's seed and the time, so that a restarted simulator goes on where it was: daily and hourly
//! waves, small random walks, now and then a disk that fills up or a Home Assistant that is away for some minutes.

use crate::wave::{Walk, Wave, noise};
use kaliun_edge::facts::Machine;
use kaliun_edge::homeassistant::Observation;
use kaliun_edge::host::{Host, Measurements, OfTotal, Traffic};
use std::time::{SystemTime, UNIX_EPOCH};

const GIGABYTE: f64 = 1e9;
const DAY_SECONDS: f64 = 86_400.0;

/// Kinds of boxes, as they are sold.
const MODELS: [(&str, u32, f64, f64); 4] = [
    ("Intel NUC7CJYH", 2, 8.0, 120.0),
    ("Raspberry Pi 4 Model B", 4, 4.0, 32.0),
    ("ODROID-N2+", 6, 4.0, 64.0),
    ("Beelink Mini S12", 4, 16.0, 480.0),
];

/// Home Assistant is away for this part of each of its periods, in one box of eight.
const HOME_ASSISTANT_PERIOD_SECONDS: f64 = 3_600.0;
const HOME_ASSISTANT_AWAY_SECONDS: f64 = 240.0;

/// One simulated box.
#[derive(Debug)]
pub struct SimulatedHost {
    name: String,
    boot_id: String,
    seed: u32,
    cpu: Walk,
    memory: Walk,
}

impl SimulatedHost {
    /// Makes the box of a name: always the same one for the same name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let seed = crc32fast::hash(name.as_bytes());
        Self {
            name: name.to_owned(),
            boot_id: boot_id(name),
            seed,
            cpu: Walk::new(0.0, 0.08),
            memory: Walk::new(0.0, 0.05),
        }
    }

    /// A number from 0 to 1 that belongs to this box and a purpose.
    fn trait_of(&self, purpose: u32) -> f64 {
        noise(self.seed, purpose)
    }

    fn model(&self) -> (&'static str, u32, f64, f64) {
        let index = self.seed as usize % MODELS.len();
        MODELS.get(index).copied().unwrap_or(("Simulated", 4, 8.0, 120.0))
    }

    fn measure_at(&mut self, seconds: f64) -> Measurements {
        let (_, cores, memory_gigabytes, disk_gigabytes) = self.model();
        let day = Wave { period_seconds: DAY_SECONDS, phase: self.trait_of(1) };
        let hour = Wave { period_seconds: 3_600.0, phase: self.trait_of(2) };
        let minute = Wave { period_seconds: 90.0, phase: self.trait_of(3) };
        let cpu =
            (0.08 + 0.10 * day.at(seconds) + 0.06 * hour.at(seconds) + 0.04 * minute.at(seconds) + self.cpu.step())
                .clamp(0.005, 0.97);
        let load = cpu * f64::from(cores);
        let memory_free =
            (0.55 - 0.12 * day.at(seconds) - 0.05 * hour.at(seconds) + self.memory.step()).clamp(0.12, 0.9);
        // One box of sixteen fills its disk over a day, and is cleaned up then.
        let fills_up = self.trait_of(4) < 1.0 / 16.0;
        let disk_free = if fills_up {
            0.30 - 0.28 * day.progress(seconds)
        } else {
            0.35 + 0.4 * self.trait_of(5) - 0.02 * day.progress(seconds)
        };
        let celsius = 38.0 + 10.0 * self.trait_of(6) + 25.0 * cpu + 3.0 * day.at(seconds);
        let megabits = 0.4 + 2.0 * self.trait_of(7);
        let uptime = seconds % (40.0 * DAY_SECONDS) + DAY_SECONDS * self.trait_of(8);
        let inodes = disk_gigabytes * 65_536.0;
        Measurements {
            cpu_busy_ratio: Some(cpu),
            load: Some([load, load * 0.95, load * 0.9]),
            memory_bytes: Some(OfTotal {
                total: memory_gigabytes * GIGABYTE,
                available: (memory_gigabytes * GIGABYTE * memory_free).round(),
            }),
            disk_bytes: Some(OfTotal {
                total: disk_gigabytes * GIGABYTE,
                available: (disk_gigabytes * GIGABYTE * disk_free).round(),
            }),
            disk_inodes: Some(OfTotal { total: inodes, available: (inodes * (0.5 + 0.5 * disk_free)).round() }),
            temperature_celsius: Some((celsius * 4.0).round() / 4.0),
            network_bytes: Some(Traffic {
                received: (uptime * megabits * 125_000.0).round(),
                sent: (uptime * megabits * 20_000.0).round(),
            }),
            uptime_seconds: Some(uptime.round()),
            // A simulated box has no process of its own.
            agent_resident_bytes: None,
        }
    }

    fn home_assistant_at(&self, seconds: f64) -> Observation {
        let is_unsteady = self.trait_of(9) < 1.0 / 8.0;
        let period = HOME_ASSISTANT_PERIOD_SECONDS * (1.0 + self.trait_of(10));
        let into_period = (seconds + period * self.trait_of(11)) % period;
        if is_unsteady && into_period < HOME_ASSISTANT_AWAY_SECONDS {
            let message = "Home Assistant does not answer: nobody listens at its address.".to_owned();
            return Observation::Unreachable { message };
        }
        if is_unsteady && into_period < HOME_ASSISTANT_AWAY_SECONDS + 30.0 {
            return Observation::Starting;
        }
        Observation::Running { version: if self.trait_of(12) < 0.5 { "2026.11.0" } else { "2026.10.3" }.to_owned() }
    }
}

impl Host for SimulatedHost {
    fn boot_id(&self) -> String {
        self.boot_id.clone()
    }

    fn machine(&mut self) -> Machine {
        let (model, cpu_count, ..) = self.model();
        let [.., third, fourth] = self.seed.to_be_bytes();
        Machine {
            hostname: self.name.clone(),
            operating_system: "NixOS 26.05 (simulated)".to_owned(),
            kernel: "6.12.41".to_owned(),
            model: model.to_owned(),
            cpu_count,
            addresses: vec![format!("192.168.{third}.{}", fourth.clamp(2, 254))],
            simulated: true,
            serial: format!("SIM{:016X}", self.seed),
        }
    }

    fn measure(&mut self) -> Measurements {
        self.measure_at(now_seconds())
    }

    async fn observe_home_assistant(&mut self) -> Observation {
        self.home_assistant_at(now_seconds())
    }
}

fn now_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A simulated box boots with the machine it runs on: what the page cache keeps, it keeps.
fn boot_id(name: &str) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let parsed = uuid::Uuid::try_parse(machine.trim()).unwrap_or_default();
    let seed = u128::from(crc32fast::hash(name.as_bytes()));
    uuid::Uuid::from_u128(parsed.as_u128() ^ seed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_edge::sample::{HealthHistory, SpoolFigures};

    #[test]
    fn a_day_of_a_thousand_boxes_is_believable() {
        let mut verdicts = std::collections::BTreeMap::new();
        for number in 0..1000 {
            let mut host = SimulatedHost::new(&format!("sim-{number:04}"));
            for hour in 0..24 {
                let measured = host.measure_at(1.8e9 + f64::from(hour) * 3600.0);
                let cpu = measured.cpu_busy_ratio.unwrap();
                assert!((0.0..=1.0).contains(&cpu));
                for pair in [measured.memory_bytes, measured.disk_bytes, measured.disk_inodes] {
                    let OfTotal { total, available } = pair.unwrap();
                    assert!(available > 0.0 && available < total, "{available} of {total}");
                }
                assert!((30.0..95.0).contains(&measured.temperature_celsius.unwrap()));
                let sample =
                    HealthHistory::default().sample(0, &measured, 4, Some(true), None, SpoolFigures::default());
                *verdicts.entry(sample.health.unwrap().verdict).or_insert(0) += 1;
            }
        }
        let total: i32 = verdicts.values().sum();
        let ok = verdicts[&1];
        assert!(ok < total, "some box must have a problem at some time");
        assert!(f64::from(ok) > 0.9 * f64::from(total), "most boxes are well: {verdicts:?}");
    }

    #[test]
    fn values_change_and_the_box_stays_the_same() {
        let mut host = SimulatedHost::new("sim-0001");
        let first = host.measure_at(1.8e9);
        assert_ne!(first.cpu_busy_ratio, host.measure_at(1.8e9 + 15.0).cpu_busy_ratio);
        let (mut one, mut other) = (SimulatedHost::new("sim-0001"), SimulatedHost::new("sim-0002"));
        assert_eq!(one.machine(), host.machine());
        assert_ne!(one.machine().hostname, other.machine().hostname);
        assert_eq!(one.boot_id().len(), 36);
        assert_ne!(one.boot_id(), other.boot_id());
    }

    #[test]
    fn some_home_assistants_go_away_and_come_back() {
        let mut away = 0;
        for number in 0..200 {
            let host = SimulatedHost::new(&format!("sim-{number:04}"));
            let seen: Vec<bool> = (0..720)
                .map(|step| host.home_assistant_at(1.8e9 + f64::from(step) * 15.0))
                .map(|seen| matches!(seen, Observation::Unreachable { .. }))
                .collect();
            assert!(seen.contains(&false), "no home assistant is away for three hours");
            away += usize::from(seen.contains(&true));
        }
        assert!((5..60).contains(&away), "{away} of 200");
    }
}
