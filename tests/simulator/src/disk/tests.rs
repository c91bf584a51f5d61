use super::*;

const HOST: HostId = HostId(1);
const NEW: OpenMode = OpenMode { may_create: true, must_be_new: false, syncs_folder: false };
const OLD: OpenMode = OpenMode { may_create: false, must_be_new: false, syncs_folder: false };

fn content(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    disk.image(HOST).get(name).cloned()
}

/// Loses power in the way that is wanted, by trying seeds on copies first.
fn lose_until(disk: &Disk, is_wanted: impl Fn(&Disk) -> bool) {
    let seed = (0..300).find(|seed| {
        let trial = disk.fork();
        trial.power_loss(HOST, &mut Rng::from_seed(*seed));
        is_wanted(&trial)
    });
    disk.power_loss(HOST, &mut Rng::from_seed(seed.expect("one of 300 seeds ends in the wanted way")));
}

#[test]
fn paths_lead_back_to_their_disk() {
    let disk = Disk::new();
    let path = disk.path(HostId(7), "a/user.db").to_str().unwrap().to_owned();
    let (found, host, file) = locate(&path).unwrap();
    assert_eq!((found.number, host, file), (disk.number, HostId(7), "a/user.db"));
    drop(found);
    let gone = disk.number;
    drop(disk);
    assert!(locate(&path).is_none());
    let wrong =
        ["", "/", "/tmp/user.db", "/souk-crash", "/souk-crash/x/1/f", "/souk-crash/1/1", "/souk-crash/1/1/"];
    for path in wrong.map(str::to_owned).into_iter().chain([format!("{PATH_PREFIX}/{gone}/1/f")]) {
        assert!(locate(&path).is_none(), "{path}");
    }
}

#[test]
fn a_kill_keeps_the_page_cache_and_kills_the_handles() {
    let disk = Disk::new();
    let mut handle = Handle::open(&disk, HOST, "f", NEW).unwrap();
    handle.write(0, b"unsynced").unwrap();
    disk.kill(HOST);
    assert_eq!(content(&disk, "f").unwrap(), b"unsynced");
    assert_eq!(handle.write(0, b"x"), Err(IoError::Dead));
    assert_eq!(handle.read(0, &mut [0]), Err(IoError::Dead));
    assert_eq!(handle.sync(), Err(IoError::Dead));
    assert_eq!(handle.lock(LockLevel::Shared), Err(IoError::Dead));
    assert!(!disk.is_synced(HOST, "f"));
    assert_eq!(disk.counters().kills, 1);
}

#[test]
fn a_synced_file_may_still_lose_its_name() {
    let disk = Disk::new();
    let mut handle = Handle::open(&disk, HOST, "f", NEW).unwrap();
    handle.write(0, b"synced").unwrap();
    handle.sync().unwrap();
    lose_until(&disk, |trial| trial.files(HOST).is_empty());
    assert_eq!(disk.counters().vanished, 1);
}

#[test]
fn a_synced_folder_keeps_names_for_ever() {
    for seed in 0..100 {
        let disk = Disk::new();
        for name in ["made", "moved", "removed"] {
            Handle::open(&disk, HOST, name, NEW).unwrap();
        }
        disk.rename(HOST, "moved", "there").unwrap();
        disk.remove(HOST, "removed").unwrap();
        disk.sync_folder(HOST).unwrap();
        disk.power_loss(HOST, &mut Rng::from_seed(seed));
        assert_eq!(disk.files(HOST), ["made", "there"]);
    }
}

/// Removing and renaming come undone by a power loss, with the old content.
#[test]
fn unsynced_changes_of_names_come_undone() {
    let disk = Disk::new();
    disk.restore(HOST, &Image::from([("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec())]));
    disk.remove(HOST, "a").unwrap();
    disk.rename(HOST, "b", "c").unwrap();
    assert_eq!(disk.files(HOST), ["c"]);
    lose_until(&disk, |trial| trial.files(HOST) == ["a", "b"]);
    assert_eq!(content(&disk, "a").unwrap(), b"1");
    assert_eq!(content(&disk, "b").unwrap(), b"2");
}

#[test]
fn a_journal_syncs_its_folder_at_its_first_sync() {
    for seed in 0..100 {
        let disk = Disk::new();
        let mut journal = Handle::open(&disk, HOST, "f-wal", OpenMode { syncs_folder: true, ..NEW }).unwrap();
        journal.sync().unwrap();
        disk.power_loss(HOST, &mut Rng::from_seed(seed));
        assert_eq!(disk.files(HOST), ["f-wal"]);
    }
}

/// A fuse of k lets k mutating calls through and kills the host at the next, whichever it is.
#[test]
fn fuse_at_each_call() {
    type Step = fn(&Disk, &mut Handle) -> Result<(), IoError>;
    let steps: [(&str, Step); 6] = [
        ("write", |_, handle| handle.write(0, &[1; 1000])),
        ("truncate", |_, handle| handle.truncate(10)),
        ("sync", |_, handle| handle.sync()),
        ("rename", |disk, _| disk.rename(HOST, "f", "g")),
        ("remove", |disk, _| disk.remove(HOST, "g")),
        ("create", |disk, _| Handle::open(disk, HOST, "h", NEW).map(drop)),
    ];
    for fuse in 0..=steps.len() {
        let disk = Disk::new();
        let mut handle = Handle::open(&disk, HOST, "f", NEW).unwrap();
        disk.set_fuse(HOST, u32::try_from(fuse).unwrap(), 1);
        for (at, (name, step)) in steps.iter().enumerate() {
            let expected = if at < fuse { Ok(()) } else { Err(IoError::Dead) };
            assert_eq!(step(&disk, &mut handle), expected, "fuse {fuse}, {name}");
        }
        assert_eq!(disk.is_dead(HOST), fuse < steps.len());
        if fuse == 0 {
            assert_eq!(
                content(&disk, "f").unwrap().len(),
                SECTOR_BYTES,
                "the dying write got its first sector through"
            );
        }
        assert_eq!(disk.counters().fuses_blown, u64::from(fuse < steps.len()));
    }
}

#[test]
fn armed_faults_hit_one_call_each() {
    let disk = Disk::new();
    let mut handle = Handle::open(&disk, HOST, "f", NEW).unwrap();
    disk.arm(HOST, Fault::Full, 1);
    assert_eq!(handle.write(0, b"a"), Ok(()));
    assert_eq!(handle.read(0, &mut [0]), Ok(1));
    assert_eq!(handle.write(0, b"b"), Err(IoError::Full));
    assert_eq!(handle.write(0, b"c"), Ok(()));
    disk.arm(HOST, Fault::Io, 1);
    assert_eq!(handle.read(0, &mut [0]), Ok(1));
    assert_eq!(handle.sync(), Err(IoError::Io));
    assert!(!disk.is_synced(HOST, "f"), "what a failed sync left is still pending");
    assert_eq!(handle.sync(), Ok(()));
    disk.arm(HOST, Fault::Busy, 0);
    assert_eq!(handle.lock(LockLevel::Shared), Err(IoError::Busy));
    assert_eq!(handle.lock(LockLevel::Shared), Ok(()));
    assert_eq!(disk.counters().failed_calls, 3);
    disk.arm(HOST, Fault::Io, 0);
    disk.disarm(HOST);
    assert_eq!(handle.sync(), Ok(()));
}

#[test]
fn a_lying_disk_answers_ok_and_forgets() {
    let disk = Disk::new();
    disk.restore(HOST, &Image::from([("f".into(), b"old".to_vec())]));
    disk.lie(HOST);
    let mut handle = Handle::open(&disk, HOST, "f", OLD).unwrap();
    handle.write(0, b"new").unwrap();
    handle.sync().unwrap();
    assert_eq!(disk.counters().lies, 1);
    lose_until(&disk, |trial| content(trial, "f").unwrap() == b"old");
}

#[test]
fn images_set_a_host_back_and_clone_it() {
    let disk = Disk::new();
    let handle = Handle::open(&disk, HOST, "f", NEW).unwrap();
    handle.write(0, b"then").unwrap();
    let image = disk.image(HOST);
    handle.write(0, b"now!").unwrap();
    disk.restore(HOST, &image);
    disk.restore(HostId(2), &image);
    assert_eq!(content(&disk, "f").unwrap(), b"then");
    assert_eq!(disk.image(HostId(2)), image);
    assert_eq!(handle.write(0, b"late"), Err(IoError::Dead));
    assert!(disk.is_synced(HOST, "f"));
}

#[test]
fn opening_follows_its_mode() {
    let disk = Disk::new();
    assert_eq!(Handle::open(&disk, HOST, "f", OLD).err(), Some(IoError::NotFound));
    let _made = Handle::open(&disk, HOST, "f", OpenMode { must_be_new: true, ..NEW }).unwrap();
    assert!(Handle::open(&disk, HOST, "f", OpenMode { must_be_new: true, ..NEW }).is_err());
    disk.cut(HOST);
    assert_eq!(Handle::open(&disk, HOST, "f", OLD).err(), Some(IoError::Dead));
    assert_eq!(disk.remove(HOST, "f"), Err(IoError::Dead));
}

#[test]
fn the_trace_tells_writes_apart() {
    let trace_of = |bytes: &[u8], offset| {
        let disk = Disk::new();
        Handle::open(&disk, HOST, "f", NEW).unwrap().write(offset, bytes).unwrap();
        disk.trace()
    };
    assert_eq!(trace_of(b"a", 0), trace_of(b"a", 0));
    assert_ne!(trace_of(b"a", 0), trace_of(b"b", 0));
    assert_ne!(trace_of(b"a", 0), trace_of(b"a", 1));
}
