# Installs by a Homebrew formula what a folder has, with a little of what Homebrew gives a formula, and runs its test.
# Usage: formula.rb FORMULA FOLDER PREFIX
require "fileutils"
require "open3"
require "pathname"
require "tmpdir"

# A folder that files are installed into.
class Pathname
  def install(*files)
    mkpath
    files.flatten.each { |file| FileUtils.cp(file, self) }
  end
end

# What a formula says of itself, and what it may use.
class Formula
  class << self
    def told
      @told ||= {}
    end

    %i[desc homepage license url sha256].each do |name|
      define_method(name) { |value| told[name] = value }
    end

    def version(value)
      define_method(:version) { value }
    end

    def depends_on(what)
      raise "depends on #{what}" unless what == :linux
    end

    def on_intel
      yield
      puts "intel #{told.delete(:url)} #{told.delete(:sha256)}"
    end

    def on_arm
      yield
      puts "arm #{told.delete(:url)} #{told.delete(:sha256)}"
    end

    def service(&block)
      raise "no service" unless block
    end

    def test(&block)
      define_method(:try, &block)
    end

  end

  attr_reader :prefix, :testpath

  def initialize(prefix, testpath)
    @prefix = Pathname(prefix)
    @testpath = Pathname(testpath)
  end

  def bin
    prefix/"bin"
  end

  def man1
    prefix/"share/man/man1"
  end

  def generate_completions_from_executable(program, command, shells:)
    folder = prefix/"completions"
    folder.mkpath
    shells.each { |shell| (folder/shell.to_s).write(shell_output("#{program} #{command} #{shell}")) }
  end

  def shell_output(command)
    text, status = Open3.capture2(command)
    raise "#{command}: #{status}" unless status.success?

    text
  end

  def assert_match(expected, text)
    raise "no #{expected} in #{text}" unless text.include?(expected)
  end

  def system(*command)
    text, status = Open3.capture2e(*command.map(&:to_s))
    raise "#{command}: #{status} #{text}" unless status.success?
  end
end

formula, folder, prefix = ARGV.map { |path| File.expand_path(path) }
load formula
Dir.mktmpdir do |testpath|
  tokenlake = Tokenlake.new(prefix, testpath)
  Dir.chdir(folder) { tokenlake.install }
  tokenlake.try
end
