//! How tests share what there is only so much of, and how long each took without its wait for that.

use std::{
    cell::{Cell, RefCell},
    fmt,
    fs::{self, File, TryLockError},
    io,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};

thread_local! {
    /// How long the test on this thread has waited for its turns.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// What the test on this thread has given back, while it is not known how it ends; `None` outside of a test.
    static GIVEN_BACK: RefCell<Option<Vec<Settle>>> = const { RefCell::new(None) };
}

/// Is told whether the test was well that had something of a [`Pool`].
type Settle = Box<dyn FnOnce(bool)>;

/// The story of one test: what it has taken from a [`Pool`] and given back is lent to others if it ends well.
pub(crate) fn told<T, E>(story: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    GIVEN_BACK.set(Some(Vec::new()));
    let ended = catch_unwind(AssertUnwindSafe(story));
    let is_well = matches!(ended, Ok(Ok(_)));
    GIVEN_BACK.take().into_iter().flatten().for_each(|settle| settle(is_well));
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Says how long a test took, which the harness does not, without its waits for a turn; the suite reads it.
pub fn timed<T>(name: &str, story: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    WAITED.set(Duration::ZERO);
    let ended = story();
    println!("testbed: took {:.2} s: {name}", began.elapsed().saturating_sub(WAITED.get()).as_secs_f64());
    ended
}

fn not_counted<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let came = wait();
    WAITED.set(WAITED.get() + began.elapsed());
    came
}

/// A test's turn among those that take the same one.
pub fn turn(of: &'static Mutex<()>) -> MutexGuard<'static, ()> {
    not_counted(|| of.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A few things of a kind, each made when it is needed first and lent to one test at a time: a control plane that a test
/// turns over, and the next test finds as it was. What a test had that failed is nobody's any more, for it is as that test left
/// it: it is taken down, and another is made in its place.
pub struct Pool<T: 'static> {
    shelf: Mutex<Shelf<T>>,
    back: Condvar,
}

struct Shelf<T: 'static> {
    /// How many may be made yet, and the number of the next.
    left: usize,
    next: usize,
    free: Vec<Arc<T>>,
}

impl<T: Send + Sync> Pool<T> {
    pub const fn of(limit: usize) -> Self {
        Self { shelf: Mutex::new(Shelf { left: limit, next: 1, free: Vec::new() }), back: Condvar::new() }
    }

    /// One that nobody has, as soon as there is one; `make` makes another while there may be more, and is told its number,
    /// from 1, which no other ever had. A test that takes several gives them back together, when it has ended.
    ///
    /// # Errors
    /// What `make` failed with; the next test tries again.
    pub fn take(&'static self, make: impl FnOnce(usize) -> Result<T>) -> Result<Lent<T>> {
        let number = not_counted(|| {
            let mut shelf = self.shelf();
            loop {
                if let Some(thing) = shelf.free.pop() {
                    return Err(Lent { thing, pool: self });
                }
                if shelf.left > 0 {
                    shelf.left -= 1;
                    shelf.next += 1;
                    return Ok(shelf.next - 1);
                }
                shelf = self.back.wait(shelf).unwrap_or_else(PoisonError::into_inner);
            }
        });
        let number = match number {
            Ok(number) => number,
            Err(lent) => return Ok(lent),
        };
        match make(number) {
            Ok(thing) => Ok(Lent { thing: Arc::new(thing), pool: self }),
            Err(error) => {
                self.may_make_another();
                Err(error)
            }
        }
    }

    fn give_back(&self, thing: Arc<T>, is_well: bool) {
        if is_well {
            self.shelf().free.push(thing);
            self.back.notify_one();
        } else {
            drop(thing);
            self.may_make_another();
        }
    }

    fn may_make_another(&self) {
        self.shelf().left += 1;
        self.back.notify_one();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing of a [`Pool`], given back when dropped.
pub struct Lent<T: Send + Sync + 'static> {
    thing: Arc<T>,
    pool: &'static Pool<T>,
}

impl<T: Send + Sync> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T: Send + Sync> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<T: Send + Sync> Drop for Lent<T> {
    fn drop(&mut self) {
        let (pool, thing) = (self.pool, Arc::clone(&self.thing));
        let settle = move |is_well| pool.give_back(thing, is_well);
        GIVEN_BACK.with_borrow_mut(|given| match given {
            Some(given) => given.push(Box::new(settle)),
            None => settle(true),
        });
    }
}

/// How long somebody who waits for a place pauses before looking again.
const LOOK: Duration = Duration::from_millis(200);

/// How much sooner than its length somebody counts as come who takes long: the longest goes first, so that a run does not end with
/// it alone, and yet nobody is passed over by those who came later than three times the difference.
const AHEAD: u32 = 3;

/// The right to blow beside others, or alone, on a machine of so many places, which its processes share by lock files in a folder.
/// Given back when dropped, or when its process ends.
#[derive(Debug)]
pub struct Place {
    _held: Vec<File>,
}

impl Place {
    /// Waits for one of so many places, and until nobody is alone or waits for that: for what takes much of a processor. Of
    /// those who wait the one that takes longest comes first.
    pub(crate) fn one_of(folder: &Path, places: usize, takes: Duration) -> Result<Self> {
        let waits = Waits::begin(folder, takes)?;
        not_counted(|| {
            loop {
                if let Some(place) = waits.look(places).transpose() {
                    return place;
                }
                thread::sleep(LOOK);
            }
        })
    }

    /// Waits until nobody else is there, and keeps those out that come later: for what nothing of its kind may disturb.
    pub(crate) fn alone(folder: &Path) -> Result<Self> {
        let (door, inside) = (lock_file(folder, "door")?, lock_file(folder, "inside")?);
        not_counted(|| door.lock().and_then(|()| inside.lock()))?;
        Ok(Self { _held: vec![inside] })
    }

    /// One of the places, if one is free, for whoever only keeps it from the others.
    pub(crate) fn kept(folder: &Path, places: usize) -> Result<Option<Self>> {
        Ok(free(folder, places)?.map(|place| Self { _held: vec![place] }))
    }

    /// One of the places, if one is free and nobody is alone or waits for that at the door.
    fn beside_others(folder: &Path, places: usize) -> Result<Option<Self>> {
        let (door, inside) = (lock_file(folder, "door")?, lock_file(folder, "inside")?);
        if !got(door.try_lock())? {
            return Ok(None);
        }
        let Some(place) = free(folder, places)? else { return Ok(None) };
        Ok(got(inside.try_lock_shared())?.then(|| Self { _held: vec![place, inside] }))
    }
}

/// Somebody's line in the list of those who wait for a place: a file that its process has locked. The lock ends with the process,
/// and the next who looks takes the file away.
struct Waits<'a> {
    folder: &'a Path,
    path: PathBuf,
    _locked: File,
}

/// What the names of those files begin with; what follows is their order.
const WAITS: &str = "waits-";

impl<'a> Waits<'a> {
    fn begin(folder: &'a Path, takes: Duration) -> Result<Self> {
        let _list = list(folder)?;
        let came = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let order = counts_as(came, takes).as_millis();
        for number in 0_u32.. {
            let path = folder.join(format!("{WAITS}{order:020}-{number}.lock"));
            match File::create_new(&path) {
                Ok(file) => {
                    file.lock().with_context(|| path.display().to_string())?;
                    return Ok(Self { folder, path, _locked: file });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| path.display().to_string()),
            }
        }
        anyhow::bail!("too many wait in {}", folder.display())
    }

    /// A place, if it is this one's turn and there is one.
    fn look(&self, places: usize) -> Result<Option<Place>> {
        let _list = list(self.folder)?;
        let mut before: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            let waits = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(WAITS));
            if waits && path < self.path {
                before.push(path);
            }
        }
        for path in before {
            // One whose turn has come takes its file away itself, and may do so just now.
            let Some(line) = unless_gone(File::open(&path))? else { continue };
            if !got(line.try_lock())? {
                return Ok(None);
            }
            unless_gone(fs::remove_file(&path))?;
        }
        Place::beside_others(self.folder, places)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        // What is left is unlocked, and whoever looks next takes it away.
        let _ = fs::remove_file(&self.path);
    }
}

/// When somebody counts as come who takes so long: the soonest is next.
fn counts_as(came: Duration, takes: Duration) -> Duration {
    came.saturating_sub(takes * AHEAD)
}

/// Held while somebody writes or reads the list, so that no file in it is there and not locked yet.
fn list(folder: &Path) -> Result<File> {
    let list = lock_file(folder, "list")?;
    list.lock()?;
    Ok(list)
}

fn unless_gone<T>(done: io::Result<T>) -> Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => Ok(Some(done?)),
    }
}

fn free(folder: &Path, places: usize) -> Result<Option<File>> {
    for number in 1..=places.max(1) {
        let place = lock_file(folder, &format!("place-{number}"))?;
        if got(place.try_lock())? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn got(tried: Result<(), TryLockError>) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn lock_file(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(format!("{name}.lock"));
    File::create(&path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc::{Sender, channel},
        },
    };

    use anyhow::anyhow;

    use super::*;

    const SHORT: Duration = Duration::from_mins(1);
    const LONG: Duration = Duration::from_mins(5);

    #[test]
    fn a_pool_makes_no_more_than_it_may_and_lends_each_to_one() {
        static POOL: Pool<AtomicUsize> = Pool::of(2);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let one = POOL.take(|_| {
                        MADE.fetch_add(1, SeqCst);
                        Ok(AtomicUsize::new(0))
                    });
                    let one = one.unwrap();
                    assert_eq!(one.fetch_add(1, SeqCst), 0, "another has it, too");
                    thread::yield_now();
                    one.fetch_sub(1, SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&MADE.load(SeqCst)));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        static POOL: Pool<u8> = Pool::of(1);
        assert!(POOL.take(|_| Err(anyhow!("no room"))).is_err());
        assert_eq!(*POOL.take(|_| Ok(7)).unwrap(), 7);
        assert_eq!(*POOL.take(|_| Err(anyhow!("it is there"))).unwrap(), 7);
    }

    #[test]
    fn what_a_failed_test_had_is_lent_to_nobody() {
        static POOL: Pool<usize> = Pool::of(1);
        let has = |ends: Result<usize>| told(|| POOL.take(Ok).and_then(|had| ends.map(|_| *had)));
        assert_eq!(has(Ok(0)).unwrap(), 1);
        assert_eq!(has(Ok(0)).unwrap(), 1);
        has(Err(anyhow!("it failed"))).unwrap_err();
        assert_eq!(has(Ok(0)).unwrap(), 2);
        thread::spawn(|| told(|| POOL.take(Ok).map(|had| assert_eq!(*had, 0)))).join().unwrap_err();
        assert_eq!(has(Ok(0)).unwrap(), 3);
        // Outside of a test it is given back at once.
        drop(POOL.take(Ok).unwrap());
        assert_eq!(*POOL.take(Ok).unwrap(), 3);
    }

    #[test]
    fn a_place_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Place::one_of(folder.path(), 2, SHORT).unwrap();
        let second = Place::kept(folder.path(), 2).unwrap().unwrap();
        assert!(Place::kept(folder.path(), 2).unwrap().is_none());
        let third = thread::spawn({
            let folder = folder.path().to_owned();
            move || Place::one_of(&folder, 2, SHORT).map(drop)
        });
        assert!(!third.is_finished());
        drop(first);
        third.join().unwrap().unwrap();
        drop(second);
    }

    #[test]
    fn whoever_is_alone_keeps_everybody_out_and_comes_before_those_who_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let later = |place: fn(&Path) -> Result<Place>| {
            let folder = folder.path().to_owned();
            let waits = thread::spawn(move || place(&folder));
            // Time enough for it to have come in if it could.
            thread::sleep(LOOK * 3);
            assert!(!waits.is_finished());
            waits
        };
        let one_of_two: fn(&Path) -> Result<Place> = |folder| Place::one_of(folder, 2, SHORT);
        let alone = Place::alone(folder.path()).unwrap();
        let one = later(one_of_two);
        drop(alone);
        let one = one.join().unwrap().unwrap();
        // A place that is only kept keeps nobody from being alone.
        let kept = Place::kept(folder.path(), 2).unwrap().unwrap();
        let alone = later(Place::alone);
        drop(kept);
        let other = later(one_of_two);
        drop(one);
        let alone = alone.join().unwrap().unwrap();
        thread::sleep(LOOK * 3);
        assert!(!other.is_finished());
        drop(alone);
        other.join().unwrap().unwrap();
    }

    /// Somebody who takes so long and tells its name once it has the one place, which it then gives back; it waits already.
    fn comes(folder: &Path, name: &'static str, takes: Duration, tells: &Sender<&'static str>) {
        let before = waiting(folder);
        let (own, tells) = (folder.to_owned(), tells.clone());
        thread::spawn(move || {
            let place = Place::one_of(&own, 1, takes);
            tells.send(name).unwrap();
            drop(place);
        });
        while waiting(folder) == before {
            thread::yield_now();
        }
    }

    fn waiting(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name.to_str().unwrap().starts_with(WAITS)).count()
    }

    #[test]
    fn the_longest_of_those_who_wait_has_the_first_place_and_the_shortest_has_one_when_no_other_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (tells, told) = channel();
        let taken = Place::one_of(folder.path(), 1, SHORT).unwrap();
        for (name, takes) in [("short", SHORT), ("long", LONG), ("shorter", SHORT / 2), ("longer", LONG * 2)] {
            comes(folder.path(), name, takes, &tells);
        }
        drop(taken);
        drop(tells);
        assert_eq!(told.iter().collect::<Vec<_>>(), ["longer", "long", "short", "shorter"]);
        assert_eq!(waiting(folder.path()), 0, "a line is left in the list");
    }

    #[test]
    fn whoever_came_long_enough_ago_is_not_passed_over_by_longer_ones() {
        let came = Duration::from_hours(1);
        assert!(counts_as(came + SHORT, LONG) < counts_as(came, SHORT));
        assert!(counts_as(came + LONG * AHEAD, LONG) > counts_as(came, SHORT));
    }

    #[test]
    fn one_that_died_as_it_waited_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (tells, told) = channel();
        let line = folder.path().join(format!("{WAITS}{:020}-0.lock", 0));
        let mut first = Command::new("flock").arg("--no-fork").arg(&line).args(["sleep", "600"]).spawn().unwrap();
        while File::open(&line).is_ok_and(|file| file.try_lock().is_ok()) || !line.exists() {
            thread::yield_now();
        }
        comes(folder.path(), "second", LONG, &tells);
        let early = told.recv_timeout(LOOK * 3);
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(early.is_err(), "it did not wait for the one before it");
        assert_eq!(told.recv(), Ok("second"));
        assert!(!line.exists(), "the line of the dead is left in the list");
    }
}
